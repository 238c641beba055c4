"""Frames that begin with 68H in recorded bytes: those of DL/T 645 and of CJ/T 188; why there is none, where there is none."""

from typing import NamedTuple

from firmware.protocols import cjt188, dlt645
from firmware.protocols.frame68 import END, START, checksum
from metergate.decoded import NotDecoded, hex_of


class Shape(NamedTuple):
    """Where things stand in a protocol's frames. second_at: offset of a second 68H, or None."""

    length_at: int
    number_at: int
    n_number: int
    second_at: int | None


DLT645 = Shape(dlt645.Reply.length_at, dlt645.Reply.number_at, dlt645.Reply.n_number, 7)
CJT188 = Shape(cjt188.Reply.length_at, cjt188.Reply.number_at, cjt188.Reply.n_number, None)

# How near a place is to a frame, when none is whole.
_NEAR_HEAD, _NEAR_LENGTH, _NEAR_END, _NEAR_SUM, _NEAR_LAST = range(5)


class Frame:
    """A frame whose length and checksum are right: number as digits, control, data as they stood on the wire."""

    def __init__(self, shape, frame):
        first = shape.number_at
        self.kind = frame[1]
        # The last byte has the highest digits.
        self.number = hex_of(frame[first : first + shape.n_number][::-1])
        self.control = frame[shape.length_at - 1]
        self.data = frame[shape.length_at + 1 : -2]


def check_number(frame):
    """NotDecoded unless a frame's number is digits, AA among them for any."""
    pairs = [frame.number[i : i + 2] for i in range(0, len(frame.number), 2)]
    if any(pair != "AA" and not pair.isdecimal() for pair in pairs):
        raise NotDecoded(f"meter: not BCD: {frame.number}")


def frames_of(shape, data):
    """The Frames in data, in order: each is found by its length, and nothing in one is taken for another."""
    at = 0
    while (at := data.find(START, at)) >= 0:
        n = _length(shape, data, at)
        if n and data[at + n - 1] == END and data[at + n - 2] == checksum(data, at, at + n - 2):
            yield Frame(shape, data[at : at + n])
            at += n
        else:
            at += 1


def _length(shape, data, at):
    """How many bytes a frame that begins there has; 0 if it cannot be whole."""
    if at + shape.length_at >= len(data) or shape.second_at and data[at + shape.second_at] != START:
        return 0
    n = shape.length_at + 3 + data[at + shape.length_at]
    return n if at + n <= len(data) else 0


def why_none(shape, data):
    """Why there is no frame in data: what is wrong at the place that is most like one, and what to do."""
    found = [_fault(shape, data, at) for at, byte in enumerate(data) if byte == START]
    if not found:
        return f"no byte of {len(data)} is 68, with which a frame begins; is it this protocol?"
    nearest = max(near for near, _ in found)
    return next(text for near, text in found if near == nearest)


def _fault(shape, data, at):
    """(how near it is to a frame, what is wrong) of the place where a frame might begin."""
    begin = f"what begins at byte {at}: "
    second = shape.second_at
    if second and at + second < len(data) and data[at + second] != START:
        return _NEAR_HEAD, f"{begin}byte {at + second} is {data[at + second]:02X}, not 68; is it this protocol?"
    if at + shape.length_at >= len(data):
        return _NEAR_HEAD, f"{begin}ends in its head; record some more bytes"
    n_data = data[at + shape.length_at]
    n = shape.length_at + 3 + n_data
    length = f"its length byte {n_data:02X} (byte {at + shape.length_at})"
    if at + n > len(data):
        n_missing = at + n - len(data)
        return _NEAR_LENGTH, f"{begin}{length} goes {n_missing} bytes beyond the end; were all bytes recorded?"
    heard, wanted, end = data[at + n - 2], checksum(data, at, at + n - 2), data[at + n - 1]
    if end == END:
        return (
            _NEAR_SUM,
            f"{begin}checksum wrong: heard {heard:02X}, wanted {wanted:02X}; a byte was lost or changed: read again",
        )
    if heard == wanted:
        return _NEAR_LAST, f"{begin}ends with {end:02X} in byte {at + n - 1}, not with 16; was the last byte recorded right?"
    return (
        _NEAR_END,
        f"{begin}where {length} ends it there are neither checksum nor 16: heard {heard:02X} {end:02X}, wanted {wanted:02X} 16",
    )
