"""dlt645data: forms, and what stands behind a data identifier as a number or a text."""

from framed import bare
from memory import golden, hexed, raised

from firmware.protocols import dlt645data
from firmware.protocols.dlt645data import fits, form_of, number_of, text_of
from firmware.protocols.payload import decimal_text

# Data identifier: form, decimals, as DL/T 645-2007 and -1997 have them.
_FORMS = {
    "00010000": ("bcd4", 2),
    "00020000": ("bcd4", 2),
    "00040000": ("bcd4s", 2),
    "0001FF00": ("bcd4", 2),
    "02010100": ("bcd2", 1),
    "02010300": ("bcd2", 1),
    "0201FF00": ("bcd2", 1),
    "02030000": ("bcd3s", 4),
    "02050000": ("bcd3s", 4),
    "02060000": ("bcd2s", 3),
    "B611": ("bcd2", 0),
    "9010": ("bcd4", 2),
}


def _number(text, data):
    return number_of(hexed(data), 0, form_of(text))


def _text(text, data):
    data = hexed(data)
    found = text_of(data, 0, form_of(text))
    # The same between other bytes.
    assert text_of(memoryview(b"\xff\x99" + data + b"\xee"), 2, form_of(text)) == found
    return found


def test_forms_that_are_good():
    for text, n, fitting, others in (
        ("bcd1", 1, (1,), (0, 2, 200)),
        ("bcd4", 4, (4,), (0, 3, 5, 8)),
        ("bcd8", 8, (8,), (7, 9, 16)),
        ("bcd4s", 4, (4,), (3, 5)),
        ("bcd3+5", 3, (8,), (3, 5, 7, 9, 16)),
        ("bcd3s+5", 3, (8,), (3, 5, 7, 9)),
        ("bcd3+200", 3, (203,), (3, 200)),
        ("bcd4..", 4, (4, 8, 20, 200), (0, 3, 5, 19)),
        ("bcd4s..", 4, (4, 8, 20), (0, 5)),
        ("digits6", 6, (6,), (5, 7)),
        ("text32", 32, (32,), (31, 33)),
        ("text200", 200, (200,), (199,)),
        ("hex2", 2, (2,), (1, 3)),
        ("date4", 4, (4,), (3, 5)),
        ("time3", 3, (3,), (4,)),
        ("time5", 5, (5,), (4, 6)),
        ("time6", 6, (6,), (5,)),
    ):
        form = form_of(text)
        assert form[1] == n, text
        assert all(fits(form, k) for k in fitting), text
        assert not any(fits(form, k) for k in others), text


def test_forms_that_are_none():
    for text in (
        "",
        "bcd",
        "bcds",
        "bcd..",
        "bcd+",
        "bcd0",
        "bcd9",
        "bcd10",
        "bcd-1",
        "bcd 4",
        "bcd4 ",
        " bcd4",
        "BCD4",
        "bcd4S",
        "bcd4ss",
        "bcds4",
        "bcd4.",
        "bcd4...",
        "bcd4+",
        "bcd4+0",
        "bcd4+x",
        "bcd4+201",
        "bcd4+5+1",
        "bcd4+5..",
        "bcd4..s",
        "bcd4+5s",
        "bcd\u0664",
        "digits",
        "digits0",
        "digits6s",
        "digits6..",
        "digits6+1",
        "digits201",
        "digits1000",
        "digits0006",
        "text",
        "text0",
        "text201",
        "text1000",
        "text32s",
        "hex",
        "hex0",
        "hex2..",
        "date",
        "date3",
        "date5",
        "date4s",
        "time",
        "time4",
        "time7",
        "time5+1",
        "u16",
        "f32",
    ):
        raised(ValueError, form_of, text)


def test_recorded_frames_hold_the_recorded_values():
    n_values = 0
    for case in golden("recorded"):
        if case["protocol"] == "cjt188" or "values" not in case["expect"]:
            continue
        frame = bare(hexed(case["hex"]))
        n_di = 2 if case["protocol"] == "dlt645-1997" else 4
        data = bytes((byte - 0x33) % 256 for byte in frame[10 + n_di : -2])
        text, decimals = _FORMS[case["expect"]["di"]]
        form = form_of(text)
        values = case["expect"]["values"]
        assert len(data) == form[1] * len(values), case["id"]
        for i, (wanted, _) in enumerate(values):
            found = number_of(data, i * form[1], form)
            assert decimal_text(found, decimals) == wanted, case["id"]
            n_values += 1
    assert n_values == 35


def test_numbers_with_and_without_a_sign():
    for text, data, number in (
        ("bcd4", "78 56 34 12", 12345678),
        ("bcd4", "00 00 00 80", 80000000),
        ("bcd4s", "00 00 00 80", 0),
        ("bcd4s", "26 00 00 80", -26),
        ("bcd3s", "12 25 80", -2512),
        ("bcd2s", "00 90", -1000),
        ("bcd1", "60", 60),
        # What stands behind is no part of it: maximum demand 0.1234 kW at 12:34 on the 5th of June 2025.
        ("bcd3+5", "34 12 00 34 12 05 06 25", 1234),
        ("bcd4..", "34 29 00 00 66 07 00 00", 2934),
    ):
        assert _number(text, data) == number, text


def test_bytes_that_are_no_digits_are_no_number():
    for text, data in (
        ("bcd4", "0A 00 00 00"),
        ("bcd4", "A0 00 00 00"),
        ("bcd4", "00 00 00 FF"),
        ("bcd4", "FF FF FF FF"),
        ("bcd4s", "FF FF FF FF"),
        ("bcd4s", "00 00 00 8A"),
        ("bcd2", "0F 12"),
    ):
        raised(ValueError, _number, text, data)
        raised(ValueError, _text, text, data)


def test_texts_that_say_something_of_the_meter():
    for text, data, said in (
        ("digits6", "61 01 00 00 00 00", "000000000161"),
        ("digits6", "94 41 03 26 12 18", "181226034194"),
        ("text4", "30 2E 31 00", "1.0"),
        ("text4", "30 2E 31 20", "1.0"),
        ("text6", "36 35 34 33 32 31", "123456"),
        ("text4", "00 00 00 00", ""),
        ("text4", "FF FF FF FF", ""),
        ("text4", "42 0A 80 41", "AB"),
        ("text6", "42 20 7F 7E 21 41", "A!~ B"),
        ("hex2", "04 00", "0004"),
        ("hex2", "0F A1", "A10F"),
        ("date4", "02 22 11 25", "2025-11-22"),
        ("time3", "07 59 23", "23:59:07"),
        ("time5", "00 00 22 11 25", "2025-11-22 00:00"),
        ("time6", "31 01 22 11 05 15", "2015-05-11 22:01:31"),
        ("bcd1", "15", "15"),
    ):
        assert _text(text, data) == said, (text, data)


def test_times_that_are_no_digits_are_refused():
    for text, data in (
        ("date4", "02 22 11 FF"),
        ("date4", "0A 22 11 25"),
        ("time3", "FF FF FF"),
        ("time5", "00 00 2A 11 25"),
        ("time6", "31 01 22 11 05 1F"),
        ("digits6", "FF FF FF FF FF FF"),
        ("digits6", "61 01 00 00 00 0A"),
    ):
        raised(ValueError, _text, text, data)


def test_all_kinds_of_forms_are_tested_here():
    assert dlt645data._KINDS == ("bcd", "digits", "text", "hex", "date", "time")
    assert sorted(dlt645data._TIMES) == ["date4", "time3", "time5", "time6"]
