"""Frames made and found for the fuzz, by the protocols' rules alone: nothing of the firmware is used here. Portable.

An answer is (offset, end, result); result is ("values", bytes, what else the decoder tells ..) or ("refused", code).
"""

_START, _END, _ANY, _OFFSET = 0x68, 0x16, 0xAA, 0x33


def _crc_table():
    """What a byte makes of the checksum of Modbus over serial line V1.02, 6.2.2, bit by bit."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
        table.append(byte)
    return table


_CRC = _crc_table()


def crc(data):
    found = 0xFFFF
    for byte in data:
        found = found >> 8 ^ _CRC[(found ^ byte) & 0xFF]
    return found


# -- Modbus -----------------------------------------------------------------------------------------------------------


def modbus(body):
    """A frame: body, and its checksum low byte first."""
    found = crc(body)
    return bytes(body) + bytes((found & 0xFF, found >> 8))


def modbus_answers(stream, unit, function, n):
    """(answers in the stream to a request for n bytes of registers, how many that begin so are none)."""
    found = []
    others = 0
    for head, length in ((bytes((unit, function, n)), n + 5), (bytes((unit, function | 0x80)), 5)):
        at = stream.find(head)
        while at >= 0:
            end = at + length
            if end <= len(stream) and crc(stream[at : end - 2]) == stream[end - 1] << 8 | stream[end - 2]:
                told = ("values", stream[at + 3 : end - 2]) if len(head) == 3 else ("refused", stream[at + 2])
                found.append((at, end, told))
            else:
                others += 1
            at = stream.find(head, at + 1)
    return found, others


# -- frames that begin with 68H ---------------------------------------------------------------------------------------


def frame68(head, data):
    """head: all from 68 to the control byte; data as they go over the line."""
    body = bytes(head) + bytes((len(data),)) + bytes(data)
    return body + bytes((sum(body) & 0xFF, _END))


def dlt645(number, control, data):
    """number: six bytes as they go over the line; data without the offset of 33H."""
    return frame68(bytes((_START,)) + number + bytes((_START, control)), bytes(byte + _OFFSET & 0xFF for byte in data))


def cjt188(kind, number, control, data):
    """number: seven bytes as they go over the line."""
    return frame68(bytes((_START, kind)) + number + bytes((control,)), data)


def good68(stream, length_at):
    """[(offset, end)] of all whole frames with their checksum and their end."""
    found = []
    n = len(stream)
    at = stream.find(b"\x68")
    while at >= 0:
        if at + length_at < n:
            end = at + length_at + 3 + stream[at + length_at]
            if end <= n and stream[end - 1] == _END and sum(stream[at : end - 2]) & 0xFF == stream[end - 2]:
                found.append((at, end))
        at = stream.find(b"\x68", at + 1)
    return found


def _is_number(wanted, found):
    return all(a == b or a == _ANY and b >> 4 < 10 and b & 15 < 10 for a, b in zip(wanted, found))


def _text(number):
    """The digits of a number, the last byte first."""
    text = ""
    for byte in number:
        text = "%02X" % byte + text
    return text


def dlt645_answers(stream, number, function, di, sequence):
    """(answers to a request for di, how many good frames are none). di: bytes; sequence: one byte or none.

    DL/T 645-2007, 7: the reply has bit 7, and the function; bit 6 refuses, with one byte; bit 5: more follows. 1997 has
    functions below 10H; C5 refuses there too, and a meter may say AA AA AA AA AA AA for its number."""
    found = []
    others = 0
    for at, end in good68(stream, 9):
        result = _dlt645_result(stream[at:end], number, function, di, sequence)
        if result:
            found.append((at, end, result))
        else:
            others += 1
    return found, others


def _dlt645_result(frame, number, function, di, sequence):
    told = frame[1:7]
    control = frame[8]
    is_old = function < 0x10
    if frame[7] != _START or not (_is_number(number, told) or is_old and told == b"\xaa\xaa\xaa\xaa\xaa\xaa"):
        return None
    data = bytes(byte - _OFFSET & 0xFF for byte in frame[10:-2])
    if control in (function | 0xC0, function | 0xE0) or is_old and control == 0xC5:
        # One byte says why; whatever else a meter sends with it, it refuses.
        return ("refused", data[0] if len(data) == 1 else 1) if data else None
    if control not in (function | 0x80, function | 0xA0):
        return None
    if data[: len(di)] != di:
        return None
    data = data[len(di) :]
    if sequence:
        if data[-1:] != sequence:
            return None
        data = data[:-1]
    if function == 0x13 and len(data) != 6:
        return None
    return "values", data, bool(control & 0x20), _text(told)


def cjt188_answers(stream, number, function, di):
    """(answers to a request for di, how many good frames are none). CJ/T 188-2004, 7: bit 7 replies, bit 6 refuses."""
    found = []
    others = 0
    for at, end in good68(stream, 10):
        result = None
        told = stream[at + 2 : at + 9]
        control = stream[at + 9]
        data = stream[at + 11 : end - 2]
        if _is_number(number, told):
            if control == function | 0x80 and data[:2] in (di, di[1:] + di[:1]) and len(data) > 2:
                result = ("values", data[3:], stream[at + 1], _text(told))
            elif control == function | 0xC0 and data:
                result = ("refused", data[0] if len(data) == 1 else data[1] if len(data) < 4 else data[3])
        if result:
            found.append((at, end, result))
        else:
            others += 1
    return found, others
