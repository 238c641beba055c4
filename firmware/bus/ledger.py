"""What a line, or a meter, has done since the start: an array of counts, a place for each name of NAMES.

Every request ends in one of: replies, no_reply, bad_checksum, wrong_meter, bad_frame, refused.
"""

from array import array

from micropython import const

REQUESTS = const(0)
REPLIES = const(1)
NO_REPLY = const(2)
BAD_CHECKSUM = const(3)
WRONG_METER = const(4)
BAD_FRAME = const(5)
REFUSED = const(6)
NOISE_BYTES = const(7)
LATE_REPLIES = const(8)
RETRIES = const(9)
BAD_DATA = const(10)
READINGS = const(11)
# From here on no counts: the fewest and the most milliseconds from a request's last byte to its reply's first, their
# sum and how many were summed up; the Unix second of the newest good reply.
LEAST_MS = const(12)
MOST_MS = const(13)
_SUM_MS = const(14)
_SUMMED = const(15)
LAST_GOOD_S = const(16)
# Of a meter, what is known of its replies: the slowest of the newest ones as it is remembered, when they usually begin, in
# milliseconds; 0: none yet. And requests since midnight.
SLOW_MS = const(17)
USUAL_MS = const(18)
ASKED = const(19)

# In the order of their places; without blanks, since each is a word in health.
NAMES = (
    "requests replies no_reply bad_checksum wrong_meter bad_frame refused noise_bytes late_replies retries bad_data readings"
)
_LENGTH = const(20)
# From here on the mean forgets its older half.
_MOST_SUM_MS = const(1 << 29)


def new():
    """An empty ledger."""
    return array("I", bytes(4 * _LENGTH))


def kept(counts):
    """A ledger as it is now."""
    return array("I", counts)


def replied(counts, delay_ms, at_s):
    """A good reply began so many milliseconds after its request."""
    counts[REPLIES] += 1
    counts[LAST_GOOD_S] = at_s
    if not counts[_SUMMED] or delay_ms < counts[LEAST_MS]:
        counts[LEAST_MS] = delay_ms
    if delay_ms > counts[MOST_MS]:
        counts[MOST_MS] = delay_ms
    if counts[_SUM_MS] >= _MOST_SUM_MS:
        mean_ms = counts[_SUM_MS] // counts[_SUMMED]
        counts[_SUMMED] //= 2
        counts[_SUM_MS] = mean_ms * counts[_SUMMED]
    counts[_SUM_MS] += delay_ms
    counts[_SUMMED] += 1


def reply_ms(counts):
    """(least, mean, most) milliseconds until replies began, or None before the first."""
    n = counts[_SUMMED]
    return (counts[LEAST_MS], counts[_SUM_MS] // n, counts[MOST_MS]) if n else None


def counted(counts):
    """[(name, count), ..] of what is not 0, in the order of NAMES."""
    return [(name, counts[i]) for i, name in enumerate(NAMES.split()) if counts[i]]
