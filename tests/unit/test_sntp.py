"""sntp: packets of RFC 4330 by hand, and answers that must not set a clock."""

import asyncio

from memory import raised

from firmware.errors import LinkDown
from firmware.uplink import sntp

_NONCE = b"\x01\x02\x03\x04\x05\x06\x07\x08"
# 2025-11-22T08:15:02Z in seconds since 1900.
_SECOND = 1763799302 + 2208988800


def _answer(second=_SECOND, fraction=0, first=0x24, stratum=2, nonce=_NONCE):
    return bytes((first, stratum)) + bytes(22) + nonce + bytes(8) + second.to_bytes(4, "big") + fraction.to_bytes(4, "big")


def test_a_request_is_of_a_client_of_version_4_and_carries_the_nonce():
    request = sntp.put_request(_NONCE)
    assert len(request) == 48
    assert bytes(request) == b"\x23" + bytes(39) + _NONCE


def test_an_answer_gives_unix_seconds():
    assert sntp.time_of(_answer(), _NONCE) == 1763799302
    for first in (0x24, 0x1C, 0x64, 0xA4):
        assert sntp.time_of(_answer(first=first), _NONCE) == 1763799302
    for stratum in (1, 15):
        assert sntp.time_of(_answer(stratum=stratum), _NONCE) == 1763799302
    # Authentication behind the packet does not matter.
    assert sntp.time_of(_answer() + bytes(20), _NONCE) == 1763799302


def test_the_fraction_rounds_the_second():
    for fraction, more in ((0, 0), (0x7FFFFFFF, 0), (0x80000000, 1), (0xFFFFFFFF, 1)):
        assert sntp.time_of(_answer(fraction=fraction), _NONCE) == 1763799302 + more


def test_the_next_era_begins_in_2036():
    for second, at_s in (
        (0xFFFFFFFF, 2085978495),
        (1, 2085978497),
        (100000000, 2185978496),
        (2208988799, 4294967295),
    ):
        assert sntp.time_of(_answer(second), _NONCE) == at_s
    # The second that the fraction rounds over the era's end.
    assert sntp.time_of(_answer(0xFFFFFFFF, 0x80000000), _NONCE) == 2085978496


def test_answers_that_must_not_be_used_are_refused():
    for answer in (
        b"",
        _answer()[:47],
        _answer(first=0xE4),  # not synchronised
        _answer(first=0x23),  # a client's
        _answer(first=0x25),  # a broadcast
        _answer(first=0x26),
        _answer(stratum=0),  # kiss of death
        _answer(stratum=16),
        _answer(stratum=255),
        _answer(second=0),
        _answer(nonce=bytes(8)),
    ):
        assert sntp.time_of(answer, _NONCE) is None, answer


def test_an_answer_to_somebody_elses_question_is_refused():
    for i in range(8):
        nonce = bytearray(_NONCE)
        nonce[i] ^= 0x80
        assert sntp.time_of(_answer(nonce=bytes(nonce)), _NONCE) is None


class _Names:
    async def resolve(self, host):
        return {"ntp.example.org": "192.0.2.7", "10.0.0.1": "10.0.0.1"}[host]


def _asked(server, answer):
    """(the time or LinkDown, where it was asked) by a server that answers so."""
    places = []

    async def exchange(address, port, request, fits):
        places.append((address, port))
        assert bytes(request) == sntp.put_request(_NONCE)
        if isinstance(answer, Exception):
            raise answer
        return answer if answer and fits(answer) else None

    real, sntp.exchange_udp = sntp.exchange_udp, exchange
    try:
        return asyncio.run(sntp.ask(_Names(), server, _NONCE)), places
    except LinkDown as error:
        return error, places
    finally:
        sntp.exchange_udp = real


def test_a_server_is_asked_at_its_port():
    assert _asked("ntp.example.org", _answer()) == (1763799302, [("192.0.2.7", 123)])
    assert _asked("10.0.0.1:1123", _answer()) == (1763799302, [("10.0.0.1", 1123)])


def test_a_server_that_gives_no_time_says_why():
    for answer, cause in ((None, "no answer"), (_answer(stratum=0), "no answer"), (OSError(113), "os error 113")):
        error, _ = _asked("10.0.0.1", answer)
        assert (error.stage, error.cause) == ("ntp", cause)


def test_a_name_that_is_not_known_stays_the_names_fault():
    class Nowhere:
        async def resolve(self, host):
            raise LinkDown("name", "no answer")

    error = raised(LinkDown, asyncio.run, sntp.ask(Nowhere(), "ntp.example.org", _NONCE))
    assert error.stage == "name"
