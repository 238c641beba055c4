"""Frames of DL/T 645 and CJ/T 188 as the standards have them, made by hand's rules and not by the firmware; streams of them."""

from memory import golden, hexed

from firmware.errors import MeterRefused

# Read once, at the import: later a small heap has no room for the file's text in one piece.
_RECORDED = {case["id"]: case["hex"] for case in golden("recorded")}


def ended(frame):
    """The frame with its checksum, the sum of all its bytes, and its end."""
    total = 0
    for byte in frame:
        total = (total + byte) % 256
    return bytes(frame) + bytes((total, 0x16))


def digits(number):
    """The bytes of a number's digits, the last two first."""
    return bytes(int(number[i : i + 2], 16) for i in range(len(number) - 2, -1, -2))


def dlt(number, control, data=b""):
    """A frame of DL/T 645; data as they mean, without the 33H."""
    head = b"\x68" + digits(number) + b"\x68" + bytes((control, len(data)))
    return ended(head + bytes((byte + 0x33) % 256 for byte in data))


def cjt(kind, number, control, data=b""):
    """A frame of CJ/T 188."""
    return ended(bytes((0x68, kind)) + digits(number) + bytes((control, len(data))) + data)


def fed(reply, data, size=64):
    """What add gives for the bytes in pieces of size, as bytes; stops at the first that is not None. A refusal is raised."""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        found = reply.add(piece, len(piece))
        if found is not None:
            return bytes(found)
    return None


def started(reply, request):
    """The decoder, waiting for the reply to a request."""
    reply.expect(request)
    return reply


def answer(reply, request, frame):
    """What a frame is as the reply to a request: its data, None, or the code of a refusal as ('refused', code)."""
    try:
        return fed(started(reply, request), frame)
    except MeterRefused as error:
        return "refused", error.code


def recorded(*ids):
    """The bytes of these frames on record, one after another."""
    return b"".join(hexed(_RECORDED[id]) for id in ids)


def bare(frame):
    """The frame without its preamble."""
    while frame[0] == 0xFE:
        frame = frame[1:]
    return frame
