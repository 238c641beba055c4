"""frame68, by the decoders of DL/T 645 and CJ/T 188: the one good reply is found in whatever stands around it."""

from framed import bare, cjt, digits, dlt, ended, fed, recorded
from memory import golden, hexed, raised, unallocated

from firmware.errors import BadFrame, MeterRefused
from firmware.protocols import cjt188, dlt645

_NUMBER = "000000000161"
_NUMBER14 = "78330011223344"


class _Case:
    """A request with its reply: data is what the reply's decoder must give."""

    def __init__(self, what, reply_class, request, reply, data):
        self.what = what
        self.reply_class = reply_class
        self.request = request
        # As it was recorded, with its preamble.
        self.reply = reply
        self.data = data

    def started(self):
        reply = self.reply_class()
        reply.expect(self.request)
        return reply


def _dlt_case(what, frame, number=None):
    """The case of a recorded reply of DL/T 645; number: A for any."""
    body = bare(frame)
    old = body[8] & 0x1F == 1
    n_di = 2 if old else 4
    di = 0
    for k in range(n_di):
        di |= (body[10 + k] - 0x33) % 256 << 8 * k
    number = number or "".join("%02X" % body[k] for k in range(6, 0, -1))
    request = bytearray(dlt645.REQUEST_BYTES)
    n = (dlt645.put_read_1997 if old else dlt645.put_read)(request, number, di)
    data = bytes((byte - 0x33) % 256 for byte in body[10 + n_di : -2])
    return _Case(what, dlt645.Reply, request[:n], frame, data)


def _cjt_case(what, frame, number=None):
    body = bare(frame)
    number = number or "".join("%02X" % body[k] for k in range(8, 1, -1))
    request = bytearray(cjt188.REQUEST_BYTES)
    n = cjt188.put_read(request, number, 0x901F, body[11] == 0x90)
    return _Case(what, cjt188.Reply, request[:n], frame, body[14:-2])


def _cases(wild=False):
    """Every recorded reply to a read, and what the standards allow at most; wild: asked for by a number of A alone."""
    found = []
    for case in golden("recorded"):
        frame = hexed(case["hex"])
        control = bare(frame)[9 if case["protocol"] == "cjt188" else 8]
        if case["checksum"] != "ok" or control not in (0x81, 0x91):
            continue
        if case["protocol"] == "cjt188":
            found.append(_cjt_case(case["id"], frame, "A" * 14 if wild else None))
        else:
            found.append(_dlt_case(case["id"], frame, "A" * 12 if wild else None))
    number, number14 = ("A" * 12, "A" * 14) if wild else (None, None)
    # Numbers and data made of start, end and preamble bytes.
    awkward = dlt("166868681616", 0x91, b"\0\0\1\0" + hexed("35 E3 35 E3 35 35 CB"))
    found.append(_dlt_case("awkward", awkward, number))
    awkward = cjt(0x68, "16681668686816", 0x81, hexed("90 1F 68 68 16 16 68 FE 16 68 16"))
    found.append(_cjt_case("awkward", awkward, number14))
    # As much data as DL/T 645 allows, and a byte more than anyone's.
    for n in (200, 255):
        data = hexed("00 FF 01 00") + bytes(i % 256 for i in range(n - 4))
        found.append(_dlt_case("%d bytes" % n, dlt(_NUMBER, 0x91, data), number))
        found.append(_cjt_case("%d bytes" % n, cjt(0x10, _NUMBER14, 0x81, b"\x1f\x90\0" + data[3:]), number14))
    return found


_CASES = _cases()
_WILD = _cases(True)
# One short reply of each protocol.
_TWO = [case for case in _CASES if case.what in ("2", "W7")]


def test_there_are_cases_of_all_protocols():
    assert len(_CASES) > 35
    assert len(_TWO) == 2


def test_every_recorded_reply_in_pieces_of_every_size():
    for case in _CASES + _WILD:
        sizes = range(1, len(case.reply) + 1) if len(case.reply) < 100 else (1, 63, 64, 200)
        for size in sizes:
            assert fed(case.started(), case.reply, size) == case.data, (case.what, size)


def test_a_reply_is_whole_with_its_last_byte_and_not_before():
    for case in _CASES:
        reply = case.started()
        assert fed(reply, case.reply[:-1]) is None, case.what
        assert reply.heard == len(case.reply) - 1
        assert fed(reply, case.reply[-1:]) == case.data, case.what


def test_only_n_bytes_of_the_buffer_count():
    for case in _TWO:
        reply = case.started()
        buf = bytearray(case.reply) + bytearray(20)
        n = len(case.reply)
        assert reply.add(buf, n - 1) is None
        buf[0] = case.reply[-1]
        assert bytes(reply.add(buf, 1)) == case.data


def test_the_number_of_the_meter_that_answers_is_known():
    for case in _CASES + _WILD:
        reply = case.started()
        for before in (b"", b"\x68\0\x11"):
            reply.expect(case.request)
            assert fed(reply, before + case.reply) == case.data
            n = reply.n_number
            first = reply.number_at
            assert digits(reply.number_text()) == bare(case.reply)[first : first + n], case.what


def test_preamble_echo_garbage_and_other_meters_frames_around_a_reply_cost_nothing():
    for case in _TWO:
        frame = bare(case.reply)
        other = bytearray(frame[:-2])
        other[2] ^= 1
        other = ended(other)
        # With a right checksum and a wrong end.
        unended = frame[:-1] + b"\x17"
        for before in (
            b"",
            b"\xfe" * 4,
            b"\xfe" * 13,
            b"\0",
            b"\xff" * 7,
            b"\x68",
            b"\x68\x68",
            b"\x16",
            b"\x68" * 12,
            frame[:5],
            frame[:-1],
            case.request,
            case.request + case.request,
            other,
            b"\xfe\xfe" + other + b"\x33\x68" + bytes(case.request) + b"\xfe",
            unended,
            frame[:-2] + bytes((frame[-2] ^ 1, 0x16)),
        ):
            for after in (b"", b"\0", frame[:4], other):
                for size in (1, 3, 64):
                    reply = case.started()
                    assert fed(reply, before + frame + after, size) == case.data, (case.what, before, after, size)
                    # A preamble is no noise.
                    assert reply.noise_bytes == len(before.rstrip(b"\xfe"))


def test_another_meters_frame_is_never_the_reply():
    for case in _TWO:
        frame = bare(case.reply)
        first = case.reply_class.number_at
        for at in range(first, first + case.reply_class.n_number):
            for bit in range(8):
                other = bytearray(frame[:-2])
                other[at] ^= 1 << bit
                assert fed(case.started(), ended(other)) is None, (case.what, at, bit)


def test_one_changed_bit_anywhere_makes_it_no_reply():
    for case in _TWO + [case for case in _CASES if case.what in ("awkward", "H1", "35")]:
        frame = bare(case.reply)
        for at in range(len(frame)):
            for bit in range(8):
                bad = bytearray(frame)
                bad[at] ^= 1 << bit
                assert fed(case.started(), bytes(bad)) is None, (case.what, at, bit)


def test_a_bit_that_changes_anywhere_does_not_hide_the_next_frame():
    for case in _TWO:
        frame = bare(case.reply)
        for at in range(len(frame)):
            bad = bytearray(frame)
            bad[at] ^= 0x81
            reply = case.started()
            assert fed(reply, bytes(bad) + frame, 5) == case.data, (case.what, at)


def test_a_length_beyond_the_frame_does_not_hide_the_next():
    for case in _TWO:
        frame = bare(case.reply)
        length_at = case.reply_class.length_at
        for length in list(range(0, 40)) + [100, 200, 254, 255]:
            if length == frame[length_at]:
                continue
            bad = bytearray(frame)
            bad[length_at] = length
            for size in (1, 64):
                assert fed(case.started(), bytes(bad) + case.reply, size) == case.data, (case.what, length)


def test_a_frame_cut_short_does_not_hide_the_next():
    for case in _TWO:
        for n in range(len(case.reply)):
            assert fed(case.started(), case.reply[:n] + case.reply) == case.data, (case.what, n)


def test_frames_without_a_byte_or_with_one_twice_are_no_reply():
    for case in _TWO:
        frame = bare(case.reply)
        for at in range(1, len(frame)):
            for bad in (frame[:at] + frame[at + 1 :], frame[:at] + frame[at : at + 1] + frame[at:]):
                if bad[: len(frame)] != frame:
                    assert fed(case.started(), bad) is None, (case.what, at)


def test_a_reply_never_takes_less_than_is_wanted():
    # The line sleeps while what is wanted cannot have come: more would be a sleep into the next slot.
    for case in _CASES + _WILD:
        for n in range(len(case.reply)):
            reply = case.started()
            fed(reply, case.reply[:n])
            assert 1 <= reply.wanted() <= len(case.reply) - n, (case.what, n, reply.wanted())


def test_the_shortest_reply_is_no_shorter_than_is_wanted_at_first():
    # A refusal with its code.
    for case, refusal in ((_TWO[0], dlt(_NUMBER, 0xD1, b"\2")), (_TWO[1], cjt(0x10, "00002020120218", 0xC1, b"\2"))):
        assert case.started().wanted() == len(refusal)
        for n in range(len(refusal)):
            reply = case.started()
            fed(reply, refusal[:n])
            assert reply.wanted() == len(refusal) - n
            # What stands before a frame says nothing of its length.
            reply.expect(case.request)
            fed(reply, b"\xfe\x55" + refusal[:n])
            assert reply.wanted() == len(refusal) - n
        raised(MeterRefused, fed, case.started(), refusal)


def test_an_echo_before_the_reply_does_not_make_it_longer():
    for case in _TWO + [case for case in _WILD if case.what in ("2", "13", "31", "34", "35", "W2", "W7", "H1")]:
        stream = bytes(case.request) + case.reply
        for n in range(len(stream)):
            reply = case.started()
            fed(reply, stream[:n])
            assert 1 <= reply.wanted() <= len(stream) - n, (case.what, n, reply.wanted())


def test_what_is_wanted_is_the_rest_of_the_frame_once_its_length_is_known():
    for case in _CASES:
        start = len(case.reply) - len(bare(case.reply))
        for n in range(start + case.reply_class.length_at + 1, len(case.reply)):
            reply = case.started()
            fed(reply, case.reply[:n])
            assert reply.wanted() == len(case.reply) - n, (case.what, n)


def test_the_longest_reply_is_not_longer_than_allowed_for():
    for case in _CASES:
        if case.what != "255 bytes":
            # With the most preamble that was seen.
            assert len(bare(case.reply)) + 13 <= case.started().longest, case.what
    # The line allows twice the longest reply's time: a quarter of a kilobyte is 2.3 s at 2400 baud.
    for case in _TWO:
        assert case.started().longest <= 256


def test_noise_without_end_neither_grows_the_buffer_nor_hides_a_reply():
    for case in _TWO:
        for stuff in (
            b"\x68" * 64,
            bytes(i * 37 % 256 for i in range(64)),
            (bare(case.reply)[:-2] + b"\0\0") * 3,
            b"\x68\x10" * 30,
        ):
            reply = case.started()
            most = len(reply._buf)
            for _ in range(50):
                assert reply.add(stuff, len(stuff)) is None
                assert reply.heard <= most == len(reply._buf)
            assert fed(reply, case.reply, 7) == case.data
            assert reply.noise_bytes == 50 * len(stuff), case.what


def test_a_reply_is_found_anywhere_in_a_long_piece():
    for case in _TWO:
        for n_before in (0, 100, 267, 280, 1000):
            for n_after in (0, 100, 1000):
                for byte in (b"\x55", b"\x68"):
                    stream = byte * n_before + bare(case.reply) + byte * n_after
                    reply = case.started()
                    room = len(reply._buf)
                    assert fed(reply, stream, len(stream)) == case.data, (case.what, n_before, n_after)
                    assert len(reply._buf) == room and reply.noise_bytes == n_before


def test_the_longest_frame_is_found_behind_any_noise():
    for case in _CASES:
        if case.what == "255 bytes":
            for before in (b"", b"\xfe" * 13, b"\x68" * 100, b"\x55" * 1000):
                for size in (1, 64, 255):
                    assert fed(case.started(), before + case.reply, size) == case.data, (case.what, len(before), size)


def test_checks_of_a_full_buffer_allocate_nothing():
    for case in _TWO + [_WILD[0], _WILD[-1], [case for case in _CASES if case.what == "35"][0]]:
        frame = bare(case.reply)
        for stuff in (
            b"\x68" * 300,
            (frame[:-2] + b"\0\x16") * 20,
            (frame[:-1] + b"\x17") * 20,
            frame[:10] * 30,
            b"\x55" * 300,
        ):
            reply = case.started()
            room = len(reply._buf)
            if reply.add(stuff, room) is None:
                assert reply.heard == room
                assert unallocated(reply._search) == -1
                assert unallocated(reply.wanted) >= 1
        reply = case.started()
        stuff = b"\x68" * (len(reply._buf) - len(frame)) + frame
        assert reply.add(stuff, len(stuff) - 1) is None
        reply._buf[len(stuff) - 1] = stuff[-1]
        reply._n = len(stuff)
        assert unallocated(reply._search) == len(stuff) - len(frame)


def test_giving_up_tells_what_was_heard_and_forgets_it():
    for case in _TWO:
        reply = case.started()
        at_first = reply.wanted()
        fed(reply, case.reply[:-1])
        assert raised(BadFrame, reply.give_up).args == (case.reply[:-1], "checksum")
        assert (reply.heard, reply.wanted()) == (0, at_first)
        assert reply.noise_bytes == len(case.reply) - 1
        assert fed(reply, case.reply[-1:]) is None
        assert fed(reply, case.reply) == case.data


def test_a_new_request_forgets_the_last_one():
    for case in _TWO:
        reply = case.started()
        at_first = reply.wanted()
        fed(reply, case.reply[:-1])
        reply.expect(case.request)
        assert (reply.heard, reply.wanted()) == (0, at_first)
        assert fed(reply, case.reply[-1:]) is None


def test_a_refusal_empties_the_buffer_before_it_is_raised():
    for case, refusal in ((_TWO[0], dlt(_NUMBER, 0xD1, b"\2")), (_TWO[1], cjt(0x10, "00002020120218", 0xC1, b"\0\2\0"))):
        reply = case.started()
        at_first = reply.wanted()
        frame = bare(case.reply)
        data = b"\x68\x33" + refusal + frame[:-1]
        assert raised(MeterRefused, reply.add, data, len(data)).code == 2
        assert (reply.heard, reply.wanted()) == (0, at_first)
        assert reply.noise_bytes == 2
        assert fed(reply, frame[-1:]) is None
        assert fed(reply, frame) == case.data


def test_recorded_frames_have_the_checksums_of_the_standards():
    for case in golden("recorded"):
        if case["checksum"] == "ok":
            frame = bare(hexed(case["hex"]))
            assert ended(frame[:-2]) == frame, case["id"]
    assert len(recorded("39")) == 17 + 15 + 18


def test_what_was_heard_instead_of_a_reply_is_told_apart():
    request = bytearray(dlt645.REQUEST_BYTES)
    dlt645.put_read(request, _NUMBER, 0x00010000)
    asked = bytearray(cjt188.REQUEST_BYTES)
    cjt188.put_read(asked, _NUMBER14, 0x901F)
    energy, voltage = b"\x00\x00\x01\x00\x78\x56\x34\x12", b"\x00\x01\x01\x02\x01\x22"
    for reply, wanted, ours, own, others in (
        (dlt645.Reply(), request, dlt(_NUMBER, 0x91, energy), dlt(_NUMBER, 0x91, voltage), dlt("000000000162", 0x91, energy)),
        (
            cjt188.Reply(),
            asked,
            cjt(0x10, _NUMBER14, 0x81, b"\x90\x1f\x00" + bytes(19)),
            cjt(0x10, _NUMBER14, 0x83, b"\x81\x0a\x00"),
            cjt(0x10, "78330011223345", 0x81, b"\x90\x1f\x00" + bytes(19)),
        ),
    ):
        broken = bytearray(ours)
        broken[-2] ^= 1
        for heard, fault in (
            (b"\x55" * 20, "noise"),
            (b"\x68", "noise"),
            (bytes(broken), "checksum"),
            (b"\xfe\xfe" + ours[:-1], "checksum"),
            (own, "late"),
            (b"\x68\x00" + own, "late"),
            (others, "other"),
            (bytes(broken) + others, "other"),
        ):
            reply.expect(wanted)
            assert fed(reply, heard) is None
            assert raised(BadFrame, reply.give_up).args == (heard, fault), (fault, heard)
