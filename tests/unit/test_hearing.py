"""hearing: all good frames in bytes that were heard, of any protocol, and nothing else."""

from framed import cjt, dlt
from memory import hexed

from firmware.protocols import hearing
from firmware.protocols.crc import crc16
from tests.sim.seeded import Seeded

_DLT = dlt("000000000161", 0x91, bytes((0, 0, 1, 0, 0x45, 0x23, 0x01, 0)))
_CJT = cjt(0x10, "42590008210438", 0x81, bytes((0x1F, 0x90, 0, 1, 2, 3, 4, 0, 0)))


def _modbus(*body):
    crc = crc16(body, 0, len(body))
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


# A reply of each function that a meter may answer.
_REPLIES = (
    _modbus(1, 1, 1, 0x55),
    _modbus(1, 3, 4, 1, 2, 3, 4),
    hexed("01 04 04 43 66 33 34 1B 38"),
    _modbus(247, 0x83, 2),
    _modbus(1, 5, 0, 1, 0xFF, 0),
    _modbus(1, 6, 0, 1, 0, 3),
    _modbus(1, 7, 0x6D),
    _modbus(1, 0x0B, 0xFF, 0xFF, 1, 8),
    _modbus(1, 0x10, 0, 1, 0, 2),
    _modbus(1, 0x11, 3, 9, 0xFF, 7),
    _modbus(1, 0x14, 6, 5, 6, 1, 2, 3, 4),
    _modbus(1, 0x16, 0, 4, 0, 0xF2, 0, 0x25),
    _modbus(1, 0x17, 2, 1, 2),
    _modbus(1, 0x18, 0, 4, 0, 1, 0x12, 0x34),
    _modbus(1, 0x2B, 0x0E, 1, 1, 0, 0, 2, 0, 2, 65, 66, 1, 1, 67),
)


def _parts(heard, protocol=None):
    return [(bytes(heard[first:end]), kind) for first, end, kind in hearing.frames(heard, protocol)]


def test_every_kind_of_reply_is_a_frame():
    for reply in _REPLIES:
        assert _parts(reply) == [(reply, "modbus")], reply
        assert hearing.whose(reply, "modbus") == reply[0]
        for n in range(len(reply)):
            assert _parts(reply[:n]) == [], reply
    assert _parts(_DLT) == [(_DLT, "dlt645")] and _parts(_CJT) == [(_CJT, "cjt188")]
    assert hearing.whose(_DLT, "dlt645") == "000000000161" and hearing.whose(_CJT, "cjt188") == "42590008210438"


def test_frames_are_found_behind_one_another_and_between_noise():
    heard = b"\x00\x68\x01" + _REPLIES[2] + b"\xfe\xfe" + _DLT + _CJT + b"\x68\x68" + _REPLIES[3] + b"\x01\x04"
    found = hearing.frames(heard)
    assert [kind for _, _, kind in found] == ["modbus", "dlt645", "cjt188", "modbus"]
    # The preamble is no rest.
    assert hearing.rest_of(heard, found) == 7
    reply = _modbus(1, 3, 2, 0xFE, 0xFE)
    assert hearing.rest_of(b"\xfe\x01" + reply, hearing.frames(b"\xfe\x01" + reply)) == 1
    assert [kind for _, kind in _parts(heard, "dlt645")] == ["dlt645"]
    assert [kind for _, kind in _parts(heard, "cjt188")] == ["cjt188"]


def test_a_frame_with_one_wrong_bit_is_none():
    for frame in _REPLIES + (_DLT, _CJT):
        for i in range(len(frame)):
            for bit in range(8):
                broken = bytearray(frame)
                broken[i] ^= 1 << bit
                assert hearing.frames(broken) == [], (frame, i, bit)


def test_a_request_is_told_from_a_reply():
    request = dlt("AAAAAAAAAAAA", 0x13)
    assert _parts(request) == [(request, "dlt645")]
    assert not hearing.is_reply(request, "dlt645") and hearing.is_reply(_DLT, "dlt645")
    assert hearing.is_anonymous(request) and not hearing.has_number(request, "dlt645") and hearing.has_number(_DLT, "dlt645")


def test_refusals_are_known():
    assert hearing.is_refusal(_REPLIES[3], "modbus") and not hearing.is_refusal(_REPLIES[2], "modbus")
    refusal = dlt("000000000161", 0xD1, b"\x02")
    assert hearing.is_refusal(refusal, "dlt645") and hearing.data_of(refusal, "dlt645") == b"\x02"
    assert hearing.is_refusal(cjt(0x10, "42590008210438", 0xC1, b"\x00\x02\x00"), "cjt188")


def test_random_bytes_hold_hardly_ever_a_frame():
    dice = Seeded(7)
    n = sum([len(hearing.frames(dice.bytes(300))) for _ in range(100)])
    assert n <= 2, n


def test_a_length_beyond_the_end_is_waited_for_no_further():
    for heard in (
        b"\x01",
        b"\x01\x03",
        b"\x01\x03\xff\x00\x00",
        b"\x01\x2b\x0e\x01\x01\x00\x00\xff\x00\xff\x00",
        b"\x68" * 20,
        b"",
    ):
        assert hearing.frames(heard) == []
        assert hearing.rest_of(heard, []) == len(heard)
