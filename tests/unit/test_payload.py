"""payload: every message is JSON with the keys that README and DESIGN name, and its numbers are exact."""

import json

from firmware.protocols import payload, record

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE), ("count", "1", 0, record.GAUGE))


def test_decimals_are_exact():
    for value, decimals, text in (
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (50, 2, "0.50"),
        (99, 2, "0.99"),
        (100, 2, "1.00"),
        (-100, 2, "-1.00"),
        (1234567, 2, "12345.67"),
        (-1234567, 0, "-1234567"),
        (7, 9, "0.000000007"),
        (-7, 9, "-0.000000007"),
        (1, 1, "0.1"),
        (1677721701, 2, "16777217.01"),
        ((1 << 63) - 1, 4, "922337203685477.5807"),
        (1 - (1 << 63), 9, "-9223372036.854775807"),
        (None, 0, "null"),
        (None, 2, "null"),
    ):
        assert payload.decimal_text(value, decimals) == text


def test_texts_are_json():
    for value in ("", "main", 'a "b" \\ c', "\u9505\u7089", "a\nb\t\x01", None):
        assert json.loads(payload.text(value)) == value
    assert (payload.flag(True), payload.flag(0)) == ("true", "false")
    assert payload.obj() == "{}"
    assert payload.obj(("a", "1"), ("b", "null")) == '{"a":1,"b":null}'


def test_a_text_has_the_same_bytes_on_every_port():
    assert payload.text("\u9505\u7089 \u00fc") == '"\u9505\u7089 \u00fc"'


def test_a_reading_is_written_as_documented():
    found = record.Reading("main", _POINTS, 1763799300, 1763799302, 33, [1234567, None, -3])
    text = payload.reading(1234, found)
    assert text == (
        '{"seq":1234,"s":1763799300,"t":1763799302,"m":"main","q":33,"p":{"energy_import":12345.67,"power":null,"count":-3}}'
    )
    assert json.loads(text)["p"]["power"] is None


def test_a_miss_is_written_as_documented():
    text = payload.miss(1235, record.Miss("boiler", 1763799300, 1763802000, 4, "no reply"))
    assert text == '{"seq":1235,"m":"boiler","miss":"no reply","s":1763799300,"s_end":1763802000,"n":4}'
    assert json.loads(text)["miss"] == "no reply"


def test_a_readings_message_is_written_as_documented():
    for elements in ([], ['{"seq":1}'], ['{"seq":1}', '{"seq":2}']):
        message = payload.Message(40)
        payload.start_readings(message, "gw-0001", "5f0c11d2")
        for element in elements:
            message.add(element)
        message.end("]}")
        text = message.joined().decode()
        assert text == '{"v":1,"gw":"gw-0001","log":"5f0c11d2","r":[' + ",".join(elements) + "]}"
        assert len(json.loads(text)["r"]) == len(elements)


def test_a_day_or_event_is_written_as_documented():
    message = payload.Message(500)
    payload.put_single(message, "gw-0001", "0000000a", 7, '"t":5,"event":"start"')
    text = message.joined().decode()
    assert text == '{"v":1,"gw":"gw-0001","log":"0000000a","seq":7,"t":5,"event":"start"}'
    assert json.loads(text) == {"v": 1, "gw": "gw-0001", "log": "0000000a", "seq": 7, "t": 5, "event": "start"}


def test_messages_are_one_line():
    found = record.Reading("main", _POINTS, 1, 2, 0, [1, 2, 3])
    assert "\n" not in payload.reading(1, found)
    assert "\n" not in payload.text("a\nb")


def test_a_message_stands_behind_a_packets_header_in_one_piece():
    message = payload.Message(8)
    for body in ("{}", '{"a":"a longer one than what it was made for"}', "[]"):
        assert message.start(body) is message
        assert len(message) == len(body)
        for header in (b"\x32\x09", b"h" * 192):
            assert bytes(message.behind(header)) == header + body.encode()
