"""The time from an NTP server, without blocking (RFC 4330, client of SNTP version 4)."""

from firmware.errors import LinkDown
from firmware.uplink.names import exchange_udp

_PORT = 123
# Seconds from 1900 to 1970; era 1 begins in 2036 (RFC 4330, 3): a time before 1968 is taken for it.
_TO_1900_S = 2208988800
_ERA_S = 1 << 32
# A server that says it is before 2025, or beyond 32 bits (2106), is wrong.
_FIRST_S = 1735689600
_LAST_S = 1 << 32


def time_of(answer, nonce):
    """Unix seconds of a server's answer to nonce (the 8 bytes sent as our transmit time); None if it must not be used.

    Refused: an answer to somebody else's question, a server that is not synchronised, the kiss of death."""
    if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3 or not 1 <= answer[1] <= 15:
        return None
    if answer[24:32] != nonce:
        return None
    second = int.from_bytes(answer[40:44], "big")
    if not second:
        return None
    # The fraction rounds the second, so that half a second is the most it is off.
    second += answer[44] >> 7
    at_s = second - _TO_1900_S + (_ERA_S if second < _TO_1900_S else 0)
    return at_s if _FIRST_S <= at_s < _LAST_S else None


def put_request(nonce):
    """48 bytes: version 4, mode client, transmit time = nonce (any 8 bytes; the server sends them back)."""
    return b"\x23" + bytes(39) + nonce


async def ask(names, server, nonce):
    """Unix seconds by one server (`host` or `host:port`). LinkDown("ntp", cause) if it gives none."""
    host, _, port = server.partition(":")
    address = await names.resolve(host)
    try:
        answer = await exchange_udp(
            address, int(port or _PORT), put_request(nonce), lambda data: time_of(data, nonce) is not None
        )
    except OSError as error:
        raise LinkDown("ntp", "os error %d" % error.args[0])
    if answer is None:
        raise LinkDown("ntp", "no answer")
    return time_of(answer, nonce)
