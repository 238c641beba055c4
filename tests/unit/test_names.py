"""names: questions and answers of RFC 1035, made by hand, and answers that are none of ours."""

import asyncio

from memory import raised

from firmware.errors import LinkDown
from firmware.texts import is_address
from firmware.uplink import names
from firmware.uplink.names import Names, address_of, put_query

_QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04mqtt\x07example\x03org\x00\x00\x01\x00\x01"
_POINTER = b"\xc0\x0c"


def _record(name, kind, data, klass=1):
    return name + bytes((0, kind, 0, klass, 0, 0, 0, 60, len(data) >> 8, len(data) & 0xFF)) + data


def _answer(*records, query=_QUERY, flags=b"\x81\x80", n=None):
    n = len(records) if n is None else n
    return query[:2] + flags + b"\x00\x01" + bytes((n >> 8, n & 0xFF)) + query[8:] + b"".join(records)


_A = _record(_POINTER, 1, b"\xc0\x00\x02\x0a")


def test_addresses_are_told_from_names():
    for host in ("0.0.0.0", "192.0.2.10", "255.255.255.255"):
        assert is_address(host), host
    for host in (
        "",
        "mqtt.example.org",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.x",
        "1.2.3.",
        "1..2.3",
        "-1.2.3.4",
        "1.2.3.0004",
    ):
        assert not is_address(host), host


def test_a_question_is_written_as_the_standard_says():
    assert bytes(put_query(0x1234, "mqtt.example.org")) == _QUERY
    assert bytes(put_query(0x1234, "mqtt.example.org.")) == _QUERY
    assert bytes(put_query(0xFFFF, "a"))[:2] == b"\xff\xff"
    assert bytes(put_query(0, "x" * 63 + ".org"))[12] == 63


def test_what_is_no_host_name_is_not_asked():
    for host in ("", ".", "a..b", ".a", "x" * 64 + ".org", "b\u00fcro.example.org", "\u9505\u7089"):
        raised(ValueError, put_query, 1, host)


def test_an_answer_gives_its_address():
    assert address_of(_answer(_A), _QUERY) == "192.0.2.10"


def test_the_first_address_counts():
    assert address_of(_answer(_A, _record(_POINTER, 1, b"\x01\x02\x03\x04")), _QUERY) == "192.0.2.10"


def test_an_address_behind_an_alias_is_found():
    alias = _record(_POINTER, 5, b"\x05front\xc0\x11")
    spelled = _record(b"\x05front\x07example\x03org\x00", 1, b"\x0a\x00\x00\x01")
    assert address_of(_answer(alias, spelled), _QUERY) == "10.0.0.1"
    assert address_of(_answer(alias, _record(b"\x05front\xc0\x11", 1, b"\x0a\x00\x00\x01")), _QUERY) == "10.0.0.1"


def test_other_records_are_passed_over():
    six = _record(_POINTER, 28, bytes(16))
    text = _record(_POINTER, 16, b"\x03abc")
    odd = _record(_POINTER, 1, b"\x01\x02\x03")
    assert address_of(_answer(six, text, odd, _A), _QUERY) == "192.0.2.10"
    assert address_of(_answer(six, text, odd), _QUERY) == ""


def test_an_answer_without_an_address_is_an_answer():
    assert address_of(_answer(flags=b"\x81\x83"), _QUERY) == ""
    assert address_of(_answer(), _QUERY) == ""


def test_an_answer_to_another_question_is_none():
    for at in range(len(_QUERY)):
        if at in range(2, 12):
            continue
        answer = bytearray(_answer(_A))
        answer[at] ^= 1
        assert address_of(bytes(answer), _QUERY) is None, at


def test_a_question_is_no_answer():
    assert address_of(_QUERY, _QUERY) is None
    assert address_of(_answer(_A, flags=b"\x01\x00"), _QUERY) is None


def test_an_answer_cut_short_is_none():
    answer = _answer(_A)
    for n in range(len(answer)):
        assert address_of(answer[:n], _QUERY) is None, n


def test_an_answer_that_counts_more_records_than_it_has_is_none():
    assert address_of(_answer(n=1), _QUERY) is None
    assert address_of(_answer(_record(_POINTER, 5, b"\x01a\x00"), n=2), _QUERY) is None
    assert address_of(_answer(_record(_POINTER, 5, b"\x01a\x00"), n=65535), _QUERY) is None


def test_a_name_that_points_to_itself_ends():
    assert address_of(_answer(_record(b"\xc0\x22", 1, b"\x01\x02\x03\x04")), _QUERY) == "1.2.3.4"
    assert address_of(_answer(b"\x3f" * 40), _QUERY) is None


def _resolved(answers, host="mqtt.example.org", servers=("10.0.0.1", "10.0.0.2:5353"), times=1):
    """(the address or LinkDown, [(address, port) asked]) with servers that answer so: bytes of records, None, OSError."""
    asked = []

    async def exchange(address, port, request, fits):
        asked.append((address, port))
        answer = answers[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return None
        answer = _answer(*answer, query=bytes(request))
        assert fits(answer)
        assert not fits(answer[:-1] if len(answer) > len(request) else b"")
        return answer

    real, names.exchange_udp = names.exchange_udp, exchange
    try:
        found = Names(lambda: servers)
        for _ in range(times):
            result = asyncio.run(found.resolve(host))
    except LinkDown as error:
        result = error
    finally:
        names.exchange_udp = real
    return result, asked


def test_an_address_and_localhost_are_never_asked_for():
    assert _resolved([], "192.0.2.1") == ("192.0.2.1", [])
    assert _resolved([], "localhost") == ("127.0.0.1", [])


def test_an_answer_is_kept():
    assert _resolved([[_A]], times=3) == ("192.0.2.10", [("10.0.0.1", 53)])


def test_the_next_server_is_asked_when_one_gives_no_address():
    for first in (None, [], OSError(113)):
        found, asked = _resolved([first, [_A]])
        assert found == "192.0.2.10"
        assert asked == [("10.0.0.1", 53), ("10.0.0.2", 5353)]


def test_a_name_no_server_knows_says_why():
    for second, cause in ((None, "no answer"), ([], "no such name"), (OSError(113), "os error 113")):
        error, asked = _resolved([None, second])
        assert (error.stage, error.cause) == ("name", cause)
        assert len(asked) == 2
    error, _ = _resolved([], servers=())
    assert (error.stage, error.cause) == ("name", "no name server")
    error, asked = _resolved([], "a..b")
    assert (error.stage, error.cause) == ("name", "not a host name")
    assert asked == []
