"""The stream decoders of the fuzz: a request, what is heard on the line, and what must be found in it. Portable."""

import sys

from firmware.errors import BadData, BadFrame, MeterRefused
from firmware.meters import ask_cjt188, ask_dlt645, ask_modbus
from firmware.meters.meter import Block
from firmware.protocols import cjt188, dlt645, dlt645data, modbus, numbers
from firmware.protocols.record import GAUGE, REGISTER
from tests.sim import fuzzdata, fuzzframes
from tests.sim.fuzzdata import Wrong
from tests.sim.seeded import Seeded

# Recorded replies.
_DLT645 = (
    "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16",
    "68 60 07 92 04 00 91 68 D1 01 37 67 16",
    "68 94 41 03 26 12 18 68 93 06 C7 74 36 59 45 4B EB 16",
    "68 94 41 03 26 12 18 68 91 0A 33 32 34 35 36 56 33 33 33 33 B9 16",
    "68 24 02 00 00 00 00 68 91 18 33 32 34 33 C7 47 35 33 37 86 33 33 A7 86 33 33 36 87 33 33 44 87 33 33 EB 16",
)
_DLT645_1997 = (
    "68 27 59 63 03 00 01 68 81 04 44 E9 56 35 F4 16",
    "68 07 05 06 00 00 00 68 81 06 43 C3 97 C6 33 33 32 16",
    "68 AA AA AA AA AA AA 68 81 06 43 C3 94 A5 35 33 FA 16",
)
_CJT188 = (
    "68 10 07 09 00 00 17 50 01 81 09 90 1F 00 00 56 33 00 00 FF B1 16",
    "68 10 61 08 00 00 17 80 00 81 16 90 1F 00 00 01 72 17 2C 00 00 00 00 2C 00 00 00 00 00 00 00 00 00 A0 16",
    "68 20 38 04 21 08 00 59 42 81 2E 90 1F 00 05 19 28 53 00 05 19 28 53 00 17 00 00 00 00 35 00 00 00 00 2C 42 33 18 00"
    " 03 19 00 10 19 00 61 27 00 26 57 23 31 03 15 20 03 01 F7 16",
)
_PREAMBLE = b"\xfe\xfe\xfe\xfe"


def _recorded(frames):
    return tuple(fuzzdata.bytes_of(frame.replace(" ", "")) for frame in frames)


# -- mutations --------------------------------------------------------------------------------------------------------


class Noise:
    """Noise(seed): stretches of random bytes, cut from two that are made once: any bytes, and those that frames begin with."""

    _MARKS = b"\x68\x68\x68\x16\xfe\xaa\x33\x00\xff\x01\x04\x03\x81\x91\x08\x2c\x10\x84"
    _BYTES = 1024

    def __init__(self, seed):
        dice = Seeded(seed)
        self._any = dice.bytes(self._BYTES)
        self._marks = bytes(dice.choice(self._MARKS) for _ in range(self._BYTES))

    def of(self, dice, most):
        """0 to most - 1 bytes; most up to 256."""
        n = dice.below(most)
        at = dice.below(2 * (self._BYTES - n))
        return self._any[at // 2 : at // 2 + n] if at & 1 else self._marks[at // 2 : at // 2 + n]


def mutated(dice, frame, other, length_at):
    """The frame with one thing changed. length_at: offset of its length byte. other: what may be spliced in."""
    n = len(frame)
    how = dice.below(10)
    at = dice.below(n)
    if how < 2:
        return frame[:at] + bytes((frame[at] ^ 1 << dice.below(8),)) + frame[at + 1 :]
    if how == 2:
        return frame[:at] + frame[at + 1 :]
    if how == 3:
        return frame[: at + 1] + frame[at:]
    if how == 4:
        return frame[:at] + frame[at + 1 : at + 2] + frame[at : at + 1] + frame[at + 2 :]
    if how == 5:
        return frame[:at]
    if how == 6:
        return frame[:at] + other[dice.below(len(other)) :]
    if how == 7 and n > length_at:
        length = frame[length_at] + (-2, -1, 1, 2, 16, 255 - frame[length_at], -frame[length_at])[dice.below(7)]
        return frame[:length_at] + bytes((length & 0xFF,)) + frame[length_at + 1 :]
    byte = b"\x00\x16\x68\xaa\xff\xfe\x33\xc5\xc1\x91"[dice.below(10)]
    return frame[:at] + bytes((byte,)) + frame[at + 1 :]


# -- decoders ---------------------------------------------------------------------------------------------------------


class Decoder:
    """A decoder and its line: a request, a pool of what may stand on the line (the first two answer), what the answers are.

    A kind of it has: longest, the bytes of its longest frame; length_at; ask(dice), which makes (request, pool, ..) anew;
    result(found), what the decoder tells of what it has found; repaired(dice, frame); members(n): those of a Block whose
    reply has n bytes."""

    def __init__(self, noise):
        self._noise = noise
        self._n_buf = len(self.new_asking().reply._buf)

    def begin(self, dice):
        """Before a batch: a new decoder, four requests."""
        self._asking = self.new_asking()
        self.reply = self._asking.reply
        self._asked = [self.ask(dice) for _ in range(4)]

    def one(self, dice, counts):
        """One input. Wrong if the decoder does not do as the reference."""
        asked = self._asked[dice.below(4)]
        stream = self._stream(dice, asked)
        cuts = self._cuts(dice, len(stream))
        try:
            self._check(asked, stream, cuts, counts)
        except Exception as error:
            # Whatever it is: a decoder raises MeterRefused and nothing else.
            if not isinstance(error, Wrong):
                sys.print_exception(error)
            text = "%r\nrequest %s\nstream %s\npieces end at %s"
            raise Wrong(text % (error, asked[0].hex(), stream.hex(), ",".join(str(cut) for cut in cuts)))

    # -- what is heard

    def _stream(self, dice, asked):
        pool = asked[1]
        what = dice.below(64)
        if what < 5:
            return self._noise.of(dice, 64)
        if what == 5:
            # More than the buffer holds: repeated beginnings, frames of others, noise.
            parts = [self._glue(dice, pool) + dice.choice(pool) + self._noise.of(dice, 100) for _ in range(4)]
            return b"".join(parts) + pool[0]
        if what == 6:
            return pool[0][: 1 + dice.below(12)] * (1 + dice.below(16)) + pool[dice.below(2)]
        if what < 16:
            return self._glue(dice, pool) + pool[dice.below(2)] + self._glue(dice, pool)
        frame = pool[dice.below(2)] if what < 48 else dice.choice(pool)
        for _ in range(1 + dice.below(3)):
            if frame:
                frame = mutated(dice, frame, dice.choice(pool), self.length_at)
        if what & 1 and len(frame) > 4:
            frame = self.repaired(dice, frame)
        if what & 6:
            frame = self._glue(dice, pool) + frame
        return frame + self._glue(dice, pool) if what & 8 else frame

    def _glue(self, dice, pool):
        what = dice.below(12)
        if what < 5:
            return b""
        if what < 8:
            return self._noise.of(dice, 9)
        if what == 8:
            return _PREAMBLE[: dice.below(5)]
        frame = dice.choice(pool)
        return frame[: dice.below(len(frame))] if what == 9 else frame

    def _cuts(self, dice, n):
        """Where the pieces end in which the stream is heard."""
        how = dice.below(8)
        if not n or how < 3:
            return (n,)
        if how == 3 and n < 48:
            return range(1, n + 1)
        if how == 4:
            # As a line reads them.
            return [min(at + 64, n) for at in range(0, n, 64)]
        return sorted((dice.below(n), dice.below(n), dice.below(n))) + [n]

    # -- and what is found

    def _check(self, asked, stream, cuts, counts):
        reply = self.reply
        reply.expect(asked[0])
        noise_bytes = reply.noise_bytes
        answers, near = self.answers(stream, asked)
        found = None
        begin = 0
        for end in cuts:
            found = self._add(stream[begin:end])
            if found:
                break
            for at, last, _ in answers:
                if last <= end:
                    raise Wrong("an answer at %d..%d is not found by %d" % (at, last, end))
            if not 1 <= reply.wanted() <= self.longest:
                raise Wrong("wants %d bytes" % reply.wanted())
            begin = end
        counts["inputs"] += 1
        counts["near"] += near > 0
        if found:
            if not any(last <= end and result == found for _, last, result in answers):
                raise Wrong("takes %r for an answer by %d, where %r are" % (found, end, answers))
            counts[found[0]] += 1
            if found[0] == "values":
                self._read(asked[0])
        else:
            self._give_up(stream)
        if not 0 <= reply.noise_bytes - noise_bytes <= len(stream):
            raise Wrong("counts %d bytes of noise" % (reply.noise_bytes - noise_bytes))
        if len(reply._buf) != self._n_buf:
            raise Wrong("its buffer has grown to %d bytes" % len(reply._buf))

    def _add(self, piece):
        try:
            found = self.reply.add(piece, len(piece))
        except MeterRefused as error:
            if self.reply.heard:
                raise Wrong("keeps what refuses")
            return "refused", error.code
        self._found = found
        return None if found is None else self.result(found)

    def _read(self, request):
        """Values are made of what was found, as a meter does it: numbers, none, or BadData."""
        members = self.members(len(self._found))
        values = [None] * len(members)
        steps = [1] * len(members)
        try:
            self._asking.put_values(Block(request, members), self._found, values, steps)
        except BadData:
            if any(value is not None for value in values):
                raise Wrong("some values of bad data: %r" % values)
        if any(value is not None and type(value) is not int for value in values) or min(steps, default=1) < 1:
            raise Wrong("values %r, steps %r" % (values, steps))

    def _give_up(self, stream):
        """What was heard is told, and forgotten."""
        n = self.reply.heard
        if n:
            try:
                self.reply.give_up()
                raise Wrong("give_up raises nothing")
            except BadFrame as error:
                heard = error.args[0]
            if len(heard) != n or stream[-n:] != heard or self.reply.heard:
                raise Wrong("gives up with %s" % heard.hex())


class Modbus(Decoder):
    longest = 255
    length_at = 2
    new_asking = ask_modbus.Asking

    def ask(self, dice):
        unit, function = 1 + dice.below(247), 3 + dice.below(2)
        n = (1, 2, 2, 2, 3, 4, 8, 1 + dice.below(125))[dice.below(8)]
        first = dice.below(65536 - n)
        request = fuzzframes.modbus(bytes((unit, function, first >> 8, first & 0xFF, 0, n)))
        made = bytearray(8)
        modbus.put_read(made, unit, function, first, n)
        again = bytearray(8)
        modbus.put_read(again, unit, function, 7, 3)
        modbus.put_range(again, first, n)
        if made != request or again != request:
            raise Wrong("asks %s, not %s" % (bytes(made).hex(), request.hex()))
        head = bytes((unit, function, 2 * n))
        other = bytes((unit % 247 + 1, function, 2 * n))
        pool = [
            fuzzframes.modbus(head + dice.bytes(2 * n)),
            fuzzframes.modbus(bytes((unit, function | 0x80, dice.below(12)))),
            fuzzframes.modbus(other + dice.bytes(2 * n)),
            fuzzframes.modbus(bytes((unit, function, 2 * n + 2)) + dice.bytes(2 * n + 2)),
            fuzzframes.modbus(bytes((unit, 7 - function, 2 * n)) + dice.bytes(2 * n)),
            fuzzframes.modbus(bytes((unit, 7 - function | 0x80, 2))),
            request,
        ]
        return request, pool

    def answers(self, stream, asked):
        request = asked[0]
        return fuzzframes.modbus_answers(stream, request[0], request[1], 2 * request[5])

    def result(self, found):
        return "values", bytes(found)

    def members(self, n):
        texts = ("u16", "i16/10", "u32~!FFFFFFFF", "f32*1000", "i64", "u64/3")
        forms = [numbers.form_of(text) for text in texts]
        return [(i, n - 2 * form[0], form, 3) for i, form in enumerate(forms) if 2 * form[0] <= n]

    def repaired(self, dice, frame):
        return fuzzframes.modbus(frame[:-2])


class Decoder68(Decoder):
    def repaired(self, dice, frame):
        """Length, checksum and end made right; the length stays as it is if there are so many bytes."""
        at = frame.find(b"\x68")
        length_at = at + self.length_at
        if at < 0 or length_at + 3 > len(frame):
            return frame
        end = length_at + 1 + frame[length_at]
        if end + 2 > len(frame) or dice.below(2):
            end = min(len(frame) - 2, length_at + 256)
        body = frame[at:length_at] + bytes((end - length_at - 1,)) + frame[length_at + 1 : end]
        return frame[:at] + body + bytes((sum(body) & 0xFF, 0x16))


class Dlt645(Decoder68):
    longest = 267
    length_at = 9
    new_asking = ask_dlt645.Asking
    n_di = 4
    functions = (0x11, 0x11, 0x11, 0x12, 0x13)
    recorded = _recorded(_DLT645)

    def ask(self, dice):
        function = dice.choice(self.functions)
        number = dice.choice(
            (b"\xaa\xaa\xaa\xaa\xaa\xaa", b"\x61\x01\x00\x00\x00\x00", b"\x16\x68\x99\xaa\x12\x00", dice.bytes(6))
        )
        di = b"" if function == 0x13 else dice.choice((bytes((0, 0, 1, 0))[: self.n_di], dice.bytes(self.n_di)))
        sequence = bytes((1 + dice.below(255),)) if function == 0x12 else b""
        n = 6 if function == 0x13 else dice.choice((0, 1, 2, 3, 4, 4, 5, 8, 20, dice.below(251)))
        values = bytes(dice.choice(fuzzdata.DECIMAL) for _ in range(n)) if dice.below(2) else dice.bytes(n)
        if dice.below(8) == 0:
            frame = dice.choice(self.recorded)
            number, data = frame[1:7], bytes(byte - 0x33 & 0xFF for byte in frame[10:-2])
            function, sequence = frame[8] & 0x1F, b""
            di, values = (b"", data) if function == 0x13 else (data[: self.n_di], data[self.n_di :])
            if frame[8] & 0x40:
                di, values = bytes(self.n_di), b""
        frame = fuzzframes.dlt645
        told = bytes(dice.below(256) if byte == 0xAA else byte for byte in number)
        if di and dice.below(4) == 0:
            # The checksum of a reply that ends too soon stands where the data identifier's last byte is looked for.
            di = di[:-1] + bytes((frame(told, function | 0x80, di[:-1])[-2] - 0x33 & 0xFF,))
        request = _PREAMBLE + frame(number, function, di + sequence)
        self._check_request(request, number, function, di, sequence)
        pool = [
            frame(told, function | 0x80 | dice.below(2) << 5, di + values + sequence),
            frame(told, function | 0xC0, bytes((1 << dice.below(8),))),
            frame(told[:5] + bytes((told[5] ^ 1,)), function | 0x80, di + values + sequence),
            frame(told, function | 0x80, di[:-1] + values + sequence),
            frame(told, function | 0x80, di[:-1]),
            frame(told, function | 0x80, di + values),
            frame(told, function ^ 0x10 | 0x80, di + values),
            frame(told, 0xC5, dice.bytes(dice.below(3))),
            frame(b"\xaa\xaa\xaa\xaa\xaa\xaa", function | 0x80, di + values + sequence),
            frame(told, function | 0xC0, dice.bytes(dice.below(3))),
            request,
        ]
        return request, pool, (number, function, di, sequence)

    def _check_request(self, request, number, function, di, sequence):
        """The firmware makes the same request, for a number that a person can write."""
        digits = "".join("%02X" % number[i] for i in range(5, -1, -1))
        if any(c not in "0123456789A" for c in digits):
            return
        made = bytearray(dlt645.REQUEST_BYTES)
        value = sum(byte << 8 * i for i, byte in enumerate(di))
        if function == 0x13:
            if number != b"\xaa\xaa\xaa\xaa\xaa\xaa":
                return
            n = dlt645.put_read_address(made)
        else:
            n = (dlt645.put_read if self.n_di == 4 else dlt645.put_read_1997)(made, digits, value)
            if function in (0x02, 0x12):
                n = dlt645.put_following(made, bytes(made), sequence[0] if sequence else 1)
            if function in (0x01, 0x11):
                # Another one's request turned into this.
                (dlt645.put_read if self.n_di == 4 else dlt645.put_read_1997)(made, digits, 0x1234)
                dlt645.put_di(made, value)
        if bytes(made[:n]) != request:
            raise Wrong("asks %s, not %s" % (bytes(made[:n]).hex(), request.hex()))

    def answers(self, stream, asked):
        return fuzzframes.dlt645_answers(stream, *asked[2])

    def result(self, found):
        return "values", bytes(found), self.reply.more, self.reply.number_text()

    def members(self, n):
        texts = ("bcd4", "bcd2s", "bcd3:5", "bcd4..")
        forms = [dlt645data.form_of(text) for text in texts]
        # A block of that length, of items as long as the first, or of another length.
        whole = (n, 0, n + 1)[n % 3]
        return [(i, 2 * i, form, 0, whole) for i, form in enumerate(forms)][: 1 + n % 4]


class Dlt645Old(Dlt645):
    n_di = 2
    functions = (0x01, 0x01, 0x02)
    recorded = _recorded(_DLT645_1997)


class Cjt188(Decoder68):
    longest = 268
    length_at = 10
    new_asking = ask_cjt188.Asking
    recorded = _recorded(_CJT188)

    def ask(self, dice):
        function, di = dice.choice(((1, b"\x1f\x90"), (1, b"\x90\x1f"), (1, dice.bytes(2)), (3, b"\x0a\x81")))
        number = dice.choice((b"\xaa\xaa\xaa\xaa\xaa\xaa\xaa", b"\x16\x68\xaa\x00\x11\x22\x33", dice.bytes(7)))
        values = dice.bytes(dice.choice((0, 4, 6, 19, 43, dice.below(253))))
        kind = dice.choice((0x10, 0x20, 0x25, 0x30, 0xAA, dice.below(256)))
        if dice.below(2):
            kind, digits = fuzzdata.Cjt188Data(self._noise).input(dice)[:2]
            values = fuzzdata.bytes_of(digits)
        told = bytes(dice.below(256) if byte == 0xAA else byte for byte in number)
        if dice.below(8) == 0:
            frame = dice.choice(self.recorded)
            number = told = frame[2:9]
            function, di, values, kind = 1, frame[11:13], frame[14:-2], frame[1]
        head = di + bytes((dice.below(256),))
        request = _PREAMBLE + fuzzframes.cjt188(0xAA, number, function, di + b"\x00")
        self._check_request(request, number, function, di)
        frame = fuzzframes.cjt188
        pool = [
            frame(kind, told, function | 0x80, head + values),
            frame(kind, told, function | 0xC0, dice.bytes(1 + dice.below(4))),
            frame(kind, told[:6] + bytes((told[6] ^ 1,)), function | 0x80, head + values),
            frame(kind, told, function | 0x80, bytes((di[1], di[0] ^ 1)) + values),
            frame(kind, told, function | 0x80, di),
            frame(kind, told, function | 0xA0, head + values),
            frame(kind, told, 4 - function | 0x80, head + values),
            request,
        ]
        return request, pool, (number, function, di)

    def _check_request(self, request, number, function, di):
        digits = "".join("%02X" % number[i] for i in range(6, -1, -1))
        if any(c not in "0123456789A" for c in digits):
            return
        made = bytearray(cjt188.REQUEST_BYTES)
        # Both orders of the data identifier give the same bytes if it is turned too.
        for di_value, high_first in ((di[0] | di[1] << 8, False), (di[0] << 8 | di[1], True)):
            cjt188.put_read(made, digits, di_value, high_first, function=function)
            if made != request:
                raise Wrong("asks %s, not %s" % (bytes(made).hex(), request.hex()))

    def answers(self, stream, asked):
        return fuzzframes.cjt188_answers(stream, *asked[2])

    def result(self, found):
        return "values", bytes(found), self.reply.kind, self.reply.number_text()

    def members(self, n):
        if n in (6, 19):
            return [(0, "volume", "m3", 2, REGISTER), (1, "volume_settlement", "m3", 5, GAUGE)][: 1 + (n == 19)]
        return [(0, "heat", "GJ", 6, REGISTER), (1, "flow", "m3/h", 4, GAUGE), (2, "working_hours", "h", 0, REGISTER)]
