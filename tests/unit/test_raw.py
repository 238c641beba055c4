"""raw: what is sent as it is typed, what is not, and what is said of the answer; requests that a person typed."""

from framed import cjt, dlt
from memory import hexed, raised
from wired import Site

from firmware.console.commands import run_command
from firmware.console.raw import heard_lines, raw
from firmware.errors import CommandError
from firmware.protocols.typed import Typed, crc_bytes
from tests.sim import slave, slave188, slave645

_READ = "01 04 00 34 00 02 30 05"
_MAIN = {"name": "main", "unit": 1, "settings": "9600 8N1", "profile": "sdm630"}


def _modbus(*body):
    return bytes(body) + crc_bytes(bytes(body))


def _hex(data):
    return " ".join(["%02X" % byte for byte in data])


def _site(**more):
    return Site([slave.meter(1, "sdm630", 12000, 1234560)], meters=[_MAIN], **more)


def _said(site, line):
    site.run(raw(site, line.split(), site.say))
    return [text for _, text in site.said]


def _refused(line, site=None):
    site = site or _site()
    error = raised(CommandError, site.run, raw(site, line.split(), site.say))
    assert site.last is None and not site.line.turn.locked() and site.line.watch is None
    return error.args[0]


def test_what_is_sent_and_heard_is_shown_with_its_times():
    site = _site()
    sent, heard, what = _said(site, "A " + _READ)
    assert site.last == hexed(_READ) and site.wire.settings == (9600, 8, None, 1)
    assert sent[:6] == "sent  " and sent.endswith("  01 04 00 34 00 02 30 05   (8 bytes, 9 ms at 9600 8N1)")
    words = sent.split()[1]
    assert len(words) == 12 and words[2] + words[5] + words[8] == "::."
    assert heard.startswith("heard  +2 ms ") or heard.startswith("heard  +3 ms ") or heard.startswith("heard  +4 ms "), heard
    assert " 01 04 04 " in heard
    assert what == "CRC right: unit 1, function 04, 4 bytes of data"
    assert site.told == [] and not site.line.turn.locked() and site.line.watch is None


def test_blanks_and_small_letters_do_not_matter():
    site = _site()
    _said(site, "A 0104 00340002 3005")
    assert site.last == hexed(_READ)
    site = _site()
    _said(site, "A fefefefe 68 aa aa aa aa aa aa 68 13 00 df 16")
    assert site.last == b"\xfe" * 4 + dlt("A" * 12, 0x13)


def test_settings_may_be_said():
    site = _site()
    said = _said(site, "A 2400 8E1 " + _READ)
    assert site.wire.settings == (2400, 8, 0, 1) and "at 2400 8E1" in said[0]
    assert said[-1].startswith("heard nothing within 1000 ms")


def test_a_wrong_or_missing_checksum_is_said_with_the_right_one():
    for line in ("A 01 04 00 00 00 02", "A 01 04 00 00 00 02 71 CC", "A 9600 8N1 010400000002"):
        assert _refused(line) == "its CRC would be 71 CB: write that behind it, or the word fix"
        site = _site()
        _said(site, line + " fix")
        assert site.last == hexed("01 04 00 00 00 02 71 CB")
    right = dlt("A" * 12, 0x13)
    for n, last in ((1, ""), (2, ""), (2, " 00 16"), (1, " 17")):
        assert "checksum and end would be DF 16" in _refused("A " + _hex(right[:-n]) + last)


def test_what_may_write_is_not_sent_unless_confirmed_and_is_an_event():
    write = _modbus(1, 6, 0, 1, 0, 5)
    text = _refused("A " + _hex(write))
    assert "function 06" in text and "confirmed" in text
    assert "function 06" in _refused("A " + _hex(write[:-2]) + " fix")
    site = _site()
    said = _said(site, "A " + _hex(write) + " confirmed")
    assert site.last == write
    assert site.told == ['"event":"raw_sent","by":"console","line":"A","hex":"%s"' % _hex(write)]
    assert "refuses: code 01 (no such function)" in said[-1]
    # What only reads needs nothing, and is no event.
    site = _site()
    _said(site, "A " + _READ + " confirmed")
    assert site.told == []


def test_a_password_is_neither_shown_nor_in_the_event():
    number = "202511220161"
    data = hexed("02 01 00 04 02 12 34 56 01 00 00 00 00 05 14 07")
    meter = slave645.meter(number, "dlt645_3p", 1000, 5000)
    for echo in (False, True):
        site = Site([meter], meters=[dict(_MAIN, settings="2400 8E1")], echo=echo)
        said = _said(site, "A FE FE " + _hex(dlt(number, 0x14, data)) + " confirmed")
        shown = "\n".join(said) + site.told[0]
        assert site.last == b"\xfe\xfe" + dlt(number, 0x14, data)
        # 02, which is the level, and 12 34 56, each with its 33H; and not the sum either.
        assert "37 ** ** ** ** 34" in site.told[0] and "37 ** ** ** ** 34" in said[0]
        assert "45 67 89" not in shown and "** 16" in said[0]
        assert len([text for text in said if "echo" in text]) == echo


def test_every_function_of_each_protocol_that_changes_something_has_its_password_hidden():
    for function, n_di, n in ((0x14, 4, 4), (0x18, 4, 8), (0x19, 0, 4), (0x1A, 0, 4), (0x1B, 0, 4), (0x1C, 0, 4), (0x04, 2, 4)):
        typed = Typed(dlt("202511220161", function, bytes(range(0x40, 0x54))))
        shown = typed.hidden_text().split()
        assert shown[10 : 10 + n_di + n + 1] == ["%02X" % (0x73 + i) for i in range(n_di)] + ["**"] * n + [
            "%02X" % (0x73 + n_di + n)
        ]
        assert not typed.is_read


def test_only_reading_is_reading():
    number = "202511220161"
    reads = [
        _modbus(1, 1, 0, 0, 0, 1), _modbus(1, 2, 0, 0, 0, 1), _modbus(1, 3, 0, 0, 0, 1), _modbus(1, 4, 0, 0, 0, 1),
        _modbus(1, 7), _modbus(1, 0x0B), _modbus(1, 0x11), _modbus(1, 0x18, 0, 1), _modbus(1, 0x2B, 0x0E, 1, 0),
        _modbus(0x68, 3, 0, 0, 0, 1),
        dlt(number, 0x11, bytes(4)), dlt(number, 0x11, bytes(5)), dlt(number, 0x12, bytes(5)), dlt("A" * 12, 0x13),
        dlt(number, 0x01, bytes(2)), dlt(number, 0x02, bytes(2)), b"\xfe" * 4 + dlt(number, 0x11, bytes(4)),
        cjt(0x10, "42590008210438", 0x01, bytes(3)), cjt(0xAA, "A" * 14, 0x03, bytes(3)),
    ]  # fmt: skip
    for request in reads:
        typed = Typed(request)
        assert typed.is_read and typed.is_right and typed.body + typed.right == request, request
    others = [
        _modbus(1, function, 0, 0, 0, 1) for function in (0, 5, 6, 8, 0x0F, 0x10, 0x16, 0x17, 0x2B, 0x41, 0x83)
    ] + [
        _modbus(1, 3, 0, 0, 0, 1, 0), _modbus(1, 0x2B, 0x0D, 1, 0), _modbus(1, 0x14, 8, 6, 0, 1, 0, 0, 0, 1, 0),
        b"\xfe" + _modbus(1, 3, 0, 0, 0, 1), _modbus(1, 3, 0, 0, 0, 1) + _modbus(1, 6, 0, 0, 0, 1),
    ]  # fmt: skip
    others += [dlt(number, function, bytes(4)) for function in range(256) if function not in (0x01, 0x02, 0x11, 0x12, 0x13)]
    # Long enough to hold a frame of its own.
    others += [dlt(number, 0x11, dlt(number, 0x14, bytes(16))), dlt(number, 0x12, bytes(4)), dlt(number, 0x13, bytes(1))]
    others += [cjt(0x10, "42590008210438", function, bytes(3)) for function in range(256) if function not in (1, 3)]
    # A DL/T 645 read that is a good request to Modbus unit 68H as well; a file record that holds a broadcast of the time.
    others += [hexed("68 51 55 53 48 00 00 68 11 04 33 33 34 33 F3 16")]
    others += [_modbus(1, 0x14, 21, *(dlt("9" * 12, 0x08, bytes(6)) + bytes(3)))]
    for request in others:
        assert not Typed(request).is_read, request


def test_two_requests_in_one_are_none_that_reads():
    two = dlt("202511220161", 0x11, bytes(4)) + dlt("202511220161", 0x14, bytes(16))
    assert "its length byte says" in _refused("A " + _hex(two))


def test_what_is_no_request_is_refused_with_words():
    for line in (
        "A",
        "A xx",
        "A 1",
        "A 9600 9N1 01",
        "B 01 04",
        "A fix",
        "A confirmed",
        "A 68 AA AA AA AA AA AA 68 11 40 01 02",
    ):
        assert len(_refused(line)) > 10, line
    assert "no meter to take settings from" in _refused("A " + _READ, Site())
    site = _site()
    site.uart.refuses = (300,)
    assert "this port cannot do 300 8N1" in _refused("A 300 8N1 " + _READ, site)


def test_what_was_heard_is_said_in_words():
    assert list(heard_lines(b"")) == ["heard nothing within 1000 ms. Powered? A and B swapped? Right address and settings?"]
    assert list(heard_lines(_modbus(3, 0x84, 2))) == ["CRC right: unit 3 refuses: code 02 (no such register)"]
    assert list(heard_lines(_modbus(3, 0x84, 0x0A))) == ["CRC right: unit 3 refuses: code 0A"]
    assert list(heard_lines(b"\x01\x02\x03"))[0].startswith("3 bytes are no frame with a right checksum")
    reply = dlt("000000000161", 0x91, bytes((0, 0, 1, 0, 0x45)))
    assert list(heard_lines(b"\xfe" + reply)) == [
        "checksum right: dlt645 number 000000000161, function 91, 5 bytes of data: 00 00 01 00 45 (less 33)"
    ]
    assert "no answer: an echo, or another master" in list(heard_lines(dlt("A" * 12, 0x13)))[0]
    assert "cjt188 number 42590008210438" in list(heard_lines(cjt(0x10, "42590008210438", 0xC1, bytes(3))))[0]


def test_meters_of_all_protocols_answer():
    meters = [slave645.meter("202511220161", "dlt645_3p", 1000, 5000), slave188.meter("42590008210438", "heat", 1000, 5000)]
    site = Site(meters, meters=[dict(_MAIN, settings="2400 8E1")])
    said = _said(site, "A " + _hex(dlt("202511220161", 0x11, bytes((0, 0, 1, 0)))))
    assert "dlt645 number 202511220161, function 91, 8 bytes" in said[-1]
    site = Site(meters, meters=[dict(_MAIN, settings="2400 8E1")])
    said = _said(site, "A " + _hex(cjt(0xAA, "A" * 14, 0x01, bytes((0x1F, 0x90, 0)))))
    assert "cjt188 number 42590008210438, function 81" in said[-1]


def test_who_is_not_on_site_cannot_confirm_wherever_the_word_stands():
    write = _hex(_modbus(1, 6, 0, 0, 0x12, 0x34))
    for line in ("raw A %s confirmed", "raw A confirmed %s", "raw A %s confirmed fix", "raw A %s fix confirmed"):
        site = _site()
        error = raised(CommandError, site.run, run_command(site, line % write, site.say, False))
        assert "serial port" in error.args[0] and site.last is None
