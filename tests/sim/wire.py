"""One RS-485 pair in time: bytes at the true rate, half duplex, collisions, the gateway's driver, echo, noise.

Passive: nothing happens but by a call with the present time in microseconds, a Python int from any origin that only
grows. Works on transmissions, not on an event per byte; what comes out depends on times and seed alone, not on how
often it is asked. tests/sim/chars.py says when a byte has ended, and who hears it right.
"""

from tests.sim.chars import Listener, Sent, alike, span_us, understood
from tests.sim.seeded import Seeded

# Transmissions are kept so long after their end: an event may be told late.
_KEEP_US = 200000
_UNSET = (9600, 8, None, 1)
_MILLION = 1000000
# Who sends stray bytes.
_STRAY = "stray"
# So much at a time.
_TALK_BYTES = 16


class Wire:
    """Wire(seed): the gateway's UART at one end, slaves attached along it.

    echo: the gateway's receiver hears its own bytes too. noise: a dict, all keys optional, all rates in a million:
    "idle": stray bytes per character time of an idle line; "inside": bytes with one bit turned, of all that is sent;
    "before", "after": replies with 1..4 stray bytes directly before or after them. observe_drive False: a
    transceiver that switches by itself; drive() need not be called. rx_bytes: what the gateway's receiver keeps
    unread. hold_us: how late drive(False) may be told with its true time; until then what depends on it stays open.
    by_start: the gateway's receiver is given a slave's whole transmission when it begins: a real port behind it takes the time.

    counts: collisions (pairs of transmissions), lost_while_driving (bytes that came while the driver was on; the
    driver holds the pair, with echo too), lost_tail (the gateway's bytes cut off by an early release), lost_undriven
    (its bytes sent with the driver off), noise_bytes, garbled (bytes the gateway received, or sent to nobody, by
    settings that differ), overflow (bytes beyond rx_bytes)."""

    def __init__(self, seed=1, echo=False, noise=None, observe_drive=True, rx_bytes=256, hold_us=0, by_start=False):
        self.echo = echo
        self.noise = noise or {}
        self.observe_drive = observe_drive
        self.rx_bytes = rx_bytes
        self.settings = _UNSET
        self.counts = {
            "collisions": 0,
            "lost_while_driving": 0,
            "lost_tail": 0,
            "lost_undriven": 0,
            "noise_bytes": 0,
            "garbled": 0,
            "overflow": 0,
        }
        self._seed = seed
        self._hold_us = hold_us
        self._by_start = by_start
        self._talkers = []  # [slave or None, when it says more, until when, its dice]
        self._stray = Seeded(seed)
        self._stray_us = None
        self._n_sent = 0
        self._sent = []  # transmissions that still matter, by start
        self._drives = []  # [on_us, off_us or None]
        self._listeners = []
        self._in = bytearray()
        self._sent_us = 0

    # -- both ends ---------------------------------------------------------------------------------------------

    def attach(self, slave):
        """slave.settings; slave.hear(data, first_us, end_us) -> None, (start_us, bytes) or a list of such pairs.

        data: all bytes it understood since the last silence; asked at the end of each transmission."""
        self._listeners.append(Listener(slave))

    def set(self, settings, now_us=None):
        """The gateway's UART settings, as firmware.forms.parse_settings gives them."""
        if now_us is not None:
            self.run(now_us)
        self.settings = settings

    def drive(self, on, now_us):
        """The gateway's driver-enable pin. A release may be told up to hold_us late with the time it had."""
        is_on = bool(self._drives) and self._drives[-1][1] is None
        if bool(on) == is_on:
            return
        self.run(now_us)
        if on:
            self._drives.append([now_us, None])
        else:
            self._drives[-1][1] = max(now_us, self._drives[-1][0])

    def write(self, data, now_us):
        """The gateway's UART sends from now on, or after what it is still sending."""
        self.run(now_us)
        if data:
            self._sent_us = self._add(None, self.settings, bytes(data), max(now_us, self._sent_us)).end_us

    def send(self, slave, data, start_us):
        """An attached slave sends without being asked, or later than hear() could say."""
        listener = [each for each in self._listeners if each.slave is slave][0]
        listener.forget()
        start_us = max(start_us, listener.busy_us)
        listener.busy_us = self._add(slave, slave.settings, bytes(data), start_us).end_us

    def talk(self, slave, from_us, until_us=None):
        """An attached slave sends random bytes without a pause; until_us None: for ever. slave None: the pair's wires touch.

        Whatever else is sent meanwhile is garbled."""
        self._talkers.append([slave, from_us, until_us, Seeded(self._seed + 15485863 * (1 + len(self._talkers)))])

    def sent_us(self):
        """When the gateway's last byte will have left."""
        return self._sent_us

    def answered_us(self):
        """When the last that slaves send will have ended; 0 if that is long ago."""
        return max([0] + [sent.end_us for sent in self._sent if sent.by is not None])

    def any(self, now_us):
        """How many bytes read() would give."""
        self.run(now_us)
        return len(self._in)

    def read(self, now_us, n=None):
        """What the gateway's receiver has received up to now and nobody has read; at most n bytes of it."""
        self.run(now_us)
        if n is None:
            n = len(self._in)
        found = bytes(self._in[:n])
        self._in = self._in[n:]
        return found

    def next_us(self, now_us):
        """When the next byte ends at the gateway's receiver or a slave has something to hear, after now; or None."""
        self.run(now_us)
        times = [self._stray_us] if self.noise.get("idle") else []
        for talker in self._talkers:
            times.append(talker[1])
        for sent in self._sent:
            if not sent.offered:
                times.append(self._offer_us(sent))
            if sent.n_received < len(sent.data):
                end_us = sent.start_us if self._is_whole(sent) else sent.end_of(sent.n_received)
                times.append(end_us if end_us > now_us else end_us + self._hold_us)
        return max(now_us + 1, min(times)) if times else None

    # -- what happens ------------------------------------------------------------------------------------------

    def run(self, now_us):
        """Let everything happen that is due up to now."""
        if self.noise.get("idle") and self._stray_us is None:
            self._stray_us = now_us + self._stray_gap_us()
        while True:
            due, due_us = None, now_us
            for sent in self._sent:
                if not sent.offered and self._offer_us(sent) <= due_us:
                    due, due_us = sent, self._offer_us(sent)
            talker = self._talker_due(due_us) if self._talkers else None
            if talker:
                self._add_talk(talker)
            elif self._stray_us is not None and self._stray_us <= due_us:
                self._add_stray()
            elif due is not None:
                self._offer(due)
            else:
                break
        if self._sent:
            self._receive(now_us)
            self._forget(now_us)

    def _add(self, by, settings, data, start_us):
        number = self._n_sent
        self._n_sent += 1
        if self.noise and by is not _STRAY:
            data = self._noisy(Seeded(self._seed + 1000003 * number), data, by is not None)
        sent = Sent(number, by, settings, data, start_us)
        if by is None and not self.echo:
            sent.n_received = len(data)
        self._sent.append(sent)
        self._sent.sort(key=_start_of)
        return sent

    def _noisy(self, dice, data, is_reply):
        if is_reply:
            data = self._strays(dice, "before") + data + self._strays(dice, "after")
        if self.noise.get("inside"):
            data = bytearray(data)
            for i in range(len(data)):
                if dice.chance(self.noise["inside"]):
                    data[i] ^= 1 << dice.below(8)
                    self.counts["noise_bytes"] += 1
        return bytes(data)

    def _strays(self, dice, where):
        if not dice.chance(self.noise.get(where, 0)):
            return b""
        n = dice.between(1, 4)
        self.counts["noise_bytes"] += n
        return dice.bytes(n)

    def _add_stray(self):
        """One stray byte, unless somebody sends: a pair that is driven takes none up."""
        at_us = self._stray_us
        end_us = at_us + span_us(self.settings, 1)
        byte = self._stray.bytes(1)
        if not any(sent.start_us < end_us and at_us < sent.end_us for sent in self._sent):
            self.counts["noise_bytes"] += 1
            self._add(_STRAY, self.settings, byte, at_us)
        self._stray_us += self._stray_gap_us()

    def _talker_due(self, due_us):
        """Who talks on before that."""
        due = None
        for talker in self._talkers:
            if talker[1] <= due_us:
                due, due_us = talker, talker[1]
        return due

    def _add_talk(self, talker):
        slave, from_us, until_us, dice = talker
        if until_us is not None and from_us >= until_us:
            self._talkers.remove(talker)
            return
        settings = slave.settings if slave else self.settings
        sent = self._add(slave or _STRAY, settings, dice.bytes(_TALK_BYTES), from_us)
        self.counts["noise_bytes"] += _TALK_BYTES
        talker[1] = sent.end_us

    def _stray_gap_us(self):
        # Evenly from 1 to twice the mean: no logarithm, so that every machine computes the same.
        return span_us(self.settings, 1 + self._stray.below(2 * _MILLION // self.noise["idle"]))

    # -- the driver --------------------------------------------------------------------------------------------

    def _driven(self, sent):
        """(first, end) of a transmission's bytes that are on the pair as a whole."""
        n = len(sent.data)
        if sent.by is not None or not self.observe_drive:
            return 0, n
        for on_us, off_us in self._drives:
            if on_us < sent.end_us and (off_us is None or off_us > sent.start_us):
                first = sent.n_ended(on_us - 1) + 1 if on_us > sent.start_us else 0
                return first, max(first, n if off_us is None else sent.n_ended(off_us))
        return n, n

    def _span(self, sent):
        """(from, to) in which a transmission is on the pair, or None."""
        first, end = self._driven(sent)
        return (sent.end_of(first - 1), sent.end_of(end - 1)) if first < end else None

    def _spans_beside(self, sent):
        """What else is on the pair during a transmission: [(transmission, from, to), ..]."""
        found = []
        for other in self._sent:
            if other is not sent and other.start_us < sent.end_us and sent.start_us < other.end_us:
                span = self._span(other)
                if span:
                    found.append((other, span[0], span[1]))
        return found

    def _drive_over(self, start_us, end_us):
        """The times [on, off] of the driver that touch a span, or None."""
        for drive in self._drives:
            if drive[0] < end_us and (drive[1] is None or drive[1] > start_us):
                return drive
        return None

    # -- who hears what ----------------------------------------------------------------------------------------

    def _on_pair(self, sent, i, beside):
        """Byte i as the pair carries it: None or another byte where somebody else sends too."""
        byte = sent.data[i]
        start_us, end_us = sent.end_of(i - 1), sent.end_of(i)
        if any(first_us < end_us and start_us < last_us for _, first_us, last_us in beside):
            return self._garbled(sent, i)
        return byte

    def _heard(self, sent, i, beside, settings):
        """Byte i as a receiver with these settings hears it, or None."""
        byte = self._on_pair(sent, i, beside)
        return byte if alike(sent.settings, settings) else understood(byte, self._garbled(sent, i), sent.settings, settings)

    def _garbled(self, sent, i):
        dice = Seeded(self._seed + 1000003 * sent.number + 7919 * (i + 1))
        return None if dice.bits(1) else sent.data[i] ^ (1 + dice.below(255))

    def _offer_us(self, sent):
        """When the slaves are given a transmission: at its end, or when its driver's release can no longer be told."""
        if self._hold_us and sent.by is None and self._drives and self._drives[-1][1] is None:
            return sent.end_us + self._hold_us
        return sent.end_us

    def _offer(self, sent):
        sent.offered = True
        first, end = self._driven(sent)
        if sent.by is None:
            self._count_gateways(sent, first, end)
        if first == end:
            return
        beside = self._spans_beside(sent)
        start_us, end_us = self._span(sent)
        for other, from_us, to_us in beside:
            if other.offered and from_us < end_us and start_us < to_us:
                self.counts["collisions"] += 1
        for listener in self._listeners:
            if listener.slave is sent.by:
                continue
            settings = listener.slave.settings
            if not beside and alike(sent.settings, settings):
                data = sent.data[first:end]
            else:
                heard = [self._heard(sent, i, beside, settings) for i in range(first, end)]
                data = bytes([byte for byte in heard if byte is not None])
            for at_us, answer in listener.hear(data, start_us, end_us):
                self.send(listener.slave, answer, at_us)

    def _count_gateways(self, sent, first, end):
        n = len(sent.data)
        if first < end:
            self.counts["lost_undriven"] += first
            self.counts["lost_tail"] += n - end
            if not any(alike(sent.settings, listener.slave.settings) for listener in self._listeners):
                self.counts["garbled"] += end - first
        else:
            # Released within the first byte it drove, or never on.
            self.counts["lost_undriven" if first == n else "lost_tail"] += n

    def _receive(self, now_us):
        """Move what has ended up to now into the gateway's receiver."""
        found = []
        for sent in self._sent:
            n = len(sent.data) if self._is_whole(sent) and now_us >= sent.start_us else sent.n_ended(now_us)
            if n > sent.n_received:
                self._receive_from(sent, n, now_us, found)
        found.sort()
        for _, _, data in found:
            kept = data[: max(0, self.rx_bytes - len(self._in))]
            self.counts["overflow"] += len(data) - len(kept)
            self._in.extend(kept)

    def _is_whole(self, sent):
        return self._by_start and sent.by is not None

    def _receive_from(self, sent, n, now_us, found):
        """Add (when, number, bytes) of bytes up to n; stops at one whose fate is still open."""
        begin = sent.n_received
        beside = self._spans_beside(sent)
        is_alike = alike(sent.settings, self.settings)
        if sent.by is not None and is_alike and not beside and not self._drive_over(sent.end_of(begin - 1), sent.end_of(n - 1)):
            sent.n_received = n
            found.append((sent.end_of(n - 1), sent.number, sent.data[begin:n]))
            return
        for i in range(begin, n):
            start_us, end_us = sent.end_of(i - 1), sent.end_of(i)
            if sent.by is None:
                first, end = self._driven(sent)
                if not first <= i < end:
                    sent.n_received = i + 1
                    continue
            else:
                drive = self._drive_over(start_us, end_us)
                if drive and drive[1] is None and now_us < end_us + self._hold_us:
                    return
                if drive or self._is_own(beside, start_us, end_us):
                    self.counts["lost_while_driving"] += 1
                    sent.n_received = i + 1
                    continue
            sent.n_received = i + 1
            byte = self._heard(sent, i, beside, self.settings)
            if not is_alike:
                self.counts["garbled"] += 1
            if byte is not None:
                found.append((end_us, sent.number, bytes((byte,))))

    def _is_own(self, beside, start_us, end_us):
        """True if the gateway itself sends in that span and does not hear meanwhile."""
        if self.echo:
            return False
        return any(other.by is None and first_us < end_us and start_us < last_us for other, first_us, last_us in beside)

    def _forget(self, now_us):
        """Drop what can no longer matter."""
        open_us = [sent.start_us for sent in self._sent if not sent.offered or sent.n_received < len(sent.data)]
        before_us = min([now_us - _KEEP_US] + open_us)
        if self._sent[0].end_us <= before_us:
            self._sent = [sent for sent in self._sent if sent.end_us > before_us]
        while self._drives and self._drives[0][1] is not None and self._drives[0][1] <= before_us:
            self._drives.pop(0)


def _start_of(sent):
    return sent.start_us, sent.number
