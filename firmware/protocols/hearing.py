"""All good frames in bytes that were heard, of any of the protocols, for whoever looks at a line. Pure: no line, no clock.

The decoders of modbus, dlt645 and cjt188 look for the one reply to a request; here nobody knows who will speak.
"""

from micropython import const

from firmware.protocols import bcd
from firmware.protocols.crc import crc16
from firmware.protocols.frame68 import ANY, END, PREAMBLE, START, checksum

MODBUS, DLT645, CJT188 = "modbus", "dlt645", "cjt188"
_MOST_UNIT = const(247)
# Replies of a fixed length: of writes, of reading the status (07), the event counter (0B), of a masked write.
_FIXED = {0x05: 8, 0x06: 8, 0x07: 5, 0x0B: 8, 0x0F: 8, 0x10: 8, 0x16: 10}
# Those that say their length in the byte behind the function: registers, server id (11), file records (14), both ways (17).
_COUNTED = (0x01, 0x02, 0x03, 0x04, 0x0C, 0x11, 0x14, 0x17)


def frames(heard, protocol=None):
    """[(first, end, protocol), ..] of the good frames in heard, one behind another; of one protocol only if it is named."""
    found = []
    i = 0
    while i < len(heard):
        end, kind = frame_at(heard, i, protocol)
        if end:
            found.append((i, end, kind))
        i = end or i + 1
    return found


def frame_at(heard, i, protocol=None):
    """(end, protocol) of a good frame that begins at i; (0, None) if none does."""
    if protocol != MODBUS and heard[i] == START:
        for kind in (DLT645, CJT188):
            end = _end68(heard, i, kind) if protocol in (None, kind) else 0
            if end:
                return end, kind
    if protocol in (None, MODBUS):
        end = _end_modbus(heard, i)
        if end:
            return end, MODBUS
    return 0, None


def rest_of(heard, found):
    """How many bytes of heard are in none of the frames, and no preamble either."""
    inside = sum([end - first for first, end, _ in found])
    outside = list(heard).count(PREAMBLE)
    for first, end, _ in found:
        outside -= list(heard[first:end]).count(PREAMBLE)
    return len(heard) - inside - outside


# -- Modbus ---------------------------------------------------------------------------------------------------------


def _end_modbus(heard, i):
    length = _reply_bytes(heard, i)
    end = i + length
    if not length or end > len(heard):
        return 0
    crc = crc16(heard, i, end - 2)
    return end if heard[end - 2] == crc & 0xFF and heard[end - 1] == crc >> 8 else 0


def _reply_bytes(heard, i):
    """How long a reply at i is by its function; 0 if there cannot be one, or its length has not come."""
    if i + 5 > len(heard) or not 1 <= heard[i] <= _MOST_UNIT:
        return 0
    function = heard[i + 1]
    if function & 0x80:
        return 5
    if function in _FIXED:
        return _FIXED[function]
    if function in _COUNTED:
        return 5 + heard[i + 2]
    if function == 0x18:
        return 6 + (heard[i + 2] << 8 | heard[i + 3])
    return _identification_bytes(heard, i) if function == 0x2B else 0


def _identification_bytes(heard, i):
    """The same of a device identification, 2B 0E: its objects say their lengths. V1.1b3, 6.21."""
    if i + 8 > len(heard) or heard[i + 2] != 0x0E:
        return 0
    at = i + 8
    for _ in range(heard[i + 7]):
        if at + 2 > len(heard):
            return 0
        at += 2 + heard[at + 1]
    return at + 2 - i


# -- DL/T 645 and CJ/T 188 ------------------------------------------------------------------------------------------


def _end68(heard, i, kind):
    length_at = 9 if kind == DLT645 else 10
    if i + length_at + 3 > len(heard) or kind == DLT645 and heard[i + 7] != START:
        return 0
    last = i + length_at + 1 + heard[i + length_at]
    if last + 2 > len(heard) or heard[last + 1] != END:
        return 0
    return last + 2 if heard[last] == checksum(heard, i, last) else 0


def whose(frame, kind):
    """The unit, or the number as its digits: those of a meter that does not say it are 'AAAAAAAAAAAA'."""
    if kind == MODBUS:
        return frame[0]
    first, n = (1, 6) if kind == DLT645 else (2, 7)
    return "".join(["%02X" % frame[i] for i in range(first + n - 1, first - 1, -1)])


def has_number(frame, kind):
    """True if the number in a frame is one that a meter can have: digits."""
    first, n = (1, 6) if kind == DLT645 else (2, 7)
    try:
        bcd.number_of(frame, first, n)
    except ValueError:
        return False
    return True


def function_of(frame, kind):
    """The function, or control byte, of a frame."""
    return frame[1] if kind == MODBUS else frame[8] if kind == DLT645 else frame[9]


def is_reply(frame, kind):
    """True if a meter has sent it: a request of DL/T 645 or CJ/T 188 has the same form. What is found of Modbus are replies."""
    return kind == MODBUS or function_of(frame, kind) & 0x80 != 0


def is_refusal(frame, kind):
    if kind == MODBUS:
        return frame[1] & 0x80 != 0
    return function_of(frame, kind) & 0x40 != 0


def data_of(frame, kind):
    """What a frame holds: behind the unit and function, or behind the length, without the 33H of DL/T 645."""
    if kind == MODBUS:
        return frame[2:-2]
    if kind == CJT188:
        return frame[11:-2]
    return bytes([byte - 0x33 & 0xFF for byte in frame[10:-2]])


def is_anonymous(frame):
    """True if a frame of DL/T 645 has AA in the place of its number, as some meters of 1997 answer."""
    return frame[1:7] == bytes((ANY,)) * 6
