"""config: every row of the schema, every way to be wrong, and the text and hash that stand for a configuration."""

import json

from memory import golden, raised

from firmware import config, forms, texts
from firmware.config import SCHEMA, parse
from firmware.errors import ConfigError

# What stands in force where the file is silent; None: it must not be silent.
_DEFAULTS = {
    "gateway.id": None,
    "gateway.zone": None,
    "gateway.name": "",
    "network.kind": "none",
    "network.ssid": "",
    "network.password": "",
    "network.ntp": (),
    "network.dns": (),
    "lines[].name": None,
    "lines[].uart": None,
    "lines[].tx": None,
    "lines[].rx": None,
    "lines[].de": -1,
    "lines[].bus": "rs485",
    "lines[].wake_bytes": 0,
    "lines[].pause_ms": 0,
    "meters[].name": None,
    "meters[].line": None,
    "meters[].protocol": None,
    "meters[].unit": 0,
    "meters[].number": "",
    "meters[].profile": None,
    "meters[].settings": "",
    "meters[].every_s": 900,
    "meters[].points": (),
    "meters[].function": "profile",
    "meters[].reads_per_day_max": 0,
    "meters[].timeout_ms": 1000,
    "meters[].timeout_least_ms": 100,
    "meters[].retries": 2,
    "meters[].set_clock": "never",
    "meters[].password": "",
    "uplinks[].name": None,
    "uplinks[].host": None,
    "uplinks[].port": 8883,
    "uplinks[].ca": None,
    "uplinks[].user": "",
    "uplinks[].password": "",
    "uplinks[].prefix": "metergate",
    "uplinks[].keepalive_s": 60,
    "uplinks[].message_bytes": 2048,
}

# key: values that are taken as they are (lists as tuples), values that are refused.
_VALUES = {
    "gateway.id": (("g", "g" * 32, "GW_01-a"), ("", "g" * 33, "a b", "a/b", "\u00e4", 1, None, ["g"])),
    "gateway.zone": ((), ("", "Asia/Shanghai", "CST", "<%s>-8" % ("Z" * 45), 8, None)),
    "gateway.name": (("", "n" * 64, "Boiler house 2, \u9505\u7089"), ("n" * 65, "a\nb", "a\0", 1, None)),
    "network.kind": (("wifi", "none"), ("", "ethernet", "WIFI", 1, None, ["wifi"])),
    "network.ssid": (("", "s" * 32, "a b"), ("s" * 33, "\t", 1, None)),
    "network.password": (("", "p" * 63), ("p" * 64, "\n", 1, None)),
    "network.ntp": (
        ([], ["ntp.example.org", "10.0.0.1:1123"], ["h" * 253], ["a:1", "b:65535", "c", "d"]),
        (["a", "b", "c", "d", "e"], "ntp.example.org", [""], ["a b"], ["http://a"], ["a@b"], ["h" * 254], [1], [["a"]], None)
        + ({}, ["a:"], ["a:0"], ["a:65536"], ["a:x"], ["a:1:2"], ["a:-1"], [":123"], ["a:\u0661"]),
    ),
    "network.dns": (([], ["10.0.0.1", "10.0.0.2"]), (["10.0.0.1"] * 3, "10.0.0.1", [1], [""])),
    "lines[].name": (("A", "l" * 16), ("", "l" * 17, "a b", 1)),
    "lines[].uart": ((1, 2), (0, 3, 1.0, True, "1", None)),
    "lines[].tx": ((0, 48), (-1, 49, 4.0, False, "4", None)),
    "lines[].rx": ((0, 48), (-1, 49, 4.0, True, "4", None)),
    "lines[].de": ((-1, 48), (-2, 49, 4.0, True, "4", None)),
    "lines[].bus": (("rs485", "mbus"), ("", "RS485", "m-bus", True, 1, None)),
    "lines[].wake_bytes": ((0, 200), (-1, 201, 4.0, True, "4", None)),
    "lines[].pause_ms": ((0, 1000), (-1, 1001, 4.0, True, "4", None)),
    "meters[].name": (("m", "m" * 32), ("", "m" * 33, "m:1", "m 1", 1)),
    "meters[].line": (("A", "l" * 16), ("", "l" * 17, "a b", 1)),
    "meters[].protocol": (
        ("modbus", "dlt645", "dlt645-1997", "cjt188"),
        ("", "Modbus", "mbus", "dlt645-2007", "dlt645_1997", "DLT645", "cjt", 1, None, ["modbus"]),
    ),
    "meters[].unit": ((0, 1, 247), (-1, 248, 1.0, True, "1", None, [1])),
    "meters[].number": (
        ("", "000000000161", "999999999998", "78330011223344", "A" * 12, "A" * 14),
        ("1", "00000000161", "0000000000161", "783300112233440", "AA" * 8, "A" * 13, "a" * 12, "A" * 11 + "1", "1" + "A" * 13)
        + ("00000000016A", "AAAAAAAAAAAAA1", " 0000000161", "0000 0000 161", "-00000000161", "\u0661" * 12, "0x0000000161")
        + (161, 161.0, None, True, ["000000000161"]),
    ),
    "meters[].profile": (("sdm630", "p" * 32), ("", "p" * 33, "a b", 1)),
    "meters[].settings": (
        ("",),
        ("9600", "9600 8N", "9600 8N3", "9600 9N1", "9600 8X1", "9600 8n1", "299 8N1", "115201 8N1", "9600  8N1", " 9600 8N1")
        + ("9600 8N1 ", "9600-8N1", "-9600 8N1", "9.6 8N1", "\u0669\u0666\u0660\u0660 8N1", " 8N1", 9600, None, ["9600 8N1"]),
    ),
    "meters[].every_s": ((1, 60, 900, 3600, 86400), (0, -900, 7, 7000, 86399, 86401, 172800, 900.0, True, "900", None)),
    "meters[].points": (
        ([], ["power"], ["p%d" % i for i in range(32)], ["p" * 32]),
        (["p%d" % i for i in range(33)], ["a", "a"], ["p" * 33], [""], ["a b"], [1], [["a"]], [{}], "power", None, {}),
    ),
    "meters[].function": (("profile", "3", "4"), ("", "1", "03", "5", 3, 4, None, ["3"])),
    "meters[].reads_per_day_max": ((0, 1, 86400), (-1, 86401, 24.0, True, "24", None)),
    "meters[].timeout_ms": ((20, 5000), (19, 5001, 500.0, True, "500", None)),
    "meters[].timeout_least_ms": ((20, 5000), (19, 5001, 500.0, True, "500", None)),
    "meters[].retries": ((0, 5), (-1, 6, 2.0, False, "2", None)),
    "meters[].set_clock": (("never", "broadcast", "write"), ("", "daily", "Never", True, 0, None, ["write"])),
    "meters[].password": (("", "p" * 16), ("p" * 17, "\0", 1, None)),
    "uplinks[].name": (("u", "u" * 16), ("", "u" * 17, "a b", 1)),
    "uplinks[].host": (
        ("h", "mqtt.example.org", "192.0.2.1", "h" * 253),
        ("", "h" * 254, "a b", "mqtts://h", "h:8883", "u@h", 1, None),
    ),
    "uplinks[].port": ((1, 65535), (0, 65536, 8883.0, True, "8883", None)),
    "uplinks[].ca": (("ca.der", "certs/ca.pem", "c" * 64), ("", "c" * 65, "/ca.der", "../ca.der", "a/../../b", 1, None)),
    "uplinks[].user": (("", "u" * 64), ("u" * 65, "\r", 1, None)),
    "uplinks[].password": (("", "p" * 128), ("p" * 129, "\0", 1, None)),
    "uplinks[].prefix": (
        ("p", "a/b", "p" * 64),
        ("", "p" * 65, "a/+", "#", "/a", "a/", "$SYS", "a\0", 1, None),
    ),
    "uplinks[].keepalive_s": ((10, 3600), (9, 3601, 60.0, True, "60", None)),
    "uplinks[].message_bytes": ((512, 8192), (511, 8193, 2048.0, True, "2048", None)),
}

_REFUSED = object()


def _raw():
    """A configuration with one line, meter and uplink, and nothing that is not required."""
    return {
        "gateway": {"id": "gw-0001", "zone": "CST-8"},
        "network": {},
        "lines": [{"name": "A", "uart": 1, "tx": 17, "rx": 16}],
        "meters": [{"name": "main", "line": "A", "protocol": "modbus", "profile": "sdm630"}],
        "uplinks": [{"name": "province", "host": "mqtt.example.org", "ca": "ca.der"}],
    }


def _place(key):
    """(section, full key, last part) of a key of the schema: `meters[].unit` is (.., meters[0].unit, unit)."""
    first, last = key.split(".")
    return first.split("[")[0], key.replace("[]", "[0]"), last


def _parsed(key, value):
    """What the key becomes if it has this value; the ConfigError if it is refused."""
    name, _, last = _place(key)
    raw, secrets = _raw(), {}
    if last == "password":
        secrets = {name: {last: value}} if name == "network" else {name: {raw[name][0]["name"]: {last: value}}}
    else:
        section = raw[name][0] if "[]" in key else raw[name]
        section[last] = value
    try:
        found = parse(raw, secrets)
    except ConfigError as error:
        return error
    section = getattr(found, name)
    return getattr(section[0] if "[]" in key else section, last)


def _fault(raw, secrets=None):
    return raised(ConfigError, parse, raw, secrets)


def test_the_schema_has_no_key_that_is_not_tested_here():
    keys = {row[0] for row in SCHEMA}
    assert len(keys) == len(SCHEMA)
    assert keys == set(_DEFAULTS) == set(_VALUES)


def test_what_the_file_does_not_say_has_its_default():
    found = parse(_raw())
    for key in _DEFAULTS:
        if _DEFAULTS[key] is not None:
            name, _, last = _place(key)
            section = getattr(found, name)
            assert getattr(section[0] if "[]" in key else section, last) == _DEFAULTS[key], key


def test_what_is_required_and_missing_is_named():
    for key in _DEFAULTS:
        if _DEFAULTS[key] is None:
            name, full, last = _place(key)
            raw = _raw()
            del (raw[name][0] if "[]" in key else raw[name])[last]
            error = _fault(raw)
            assert error.key == full
            assert error.allowed.startswith("is missing"), key


def test_values_within_bounds_are_taken_as_they_are():
    for key in _VALUES:
        for value in _VALUES[key][0]:
            assert _parsed(key, value) == (tuple(value) if isinstance(value, list) else value), (key, value)


def test_values_out_of_bounds_or_of_another_type_are_refused_by_name():
    for key in _VALUES:
        for value in _VALUES[key][1]:
            error = _parsed(key, value)
            assert isinstance(error, ConfigError), (key, value)
            assert error.key == _place(key)[1], (key, value)
            assert error.allowed.startswith("must be "), (key, error.allowed)


def test_settings_are_read_into_what_a_uart_takes():
    for text, settings in (
        ("9600 8N1", (9600, 8, None, 1)),
        ("2400 8E1", (2400, 8, 0, 1)),
        ("300 7O2", (300, 7, 1, 2)),
        ("115200 8N2", (115200, 8, None, 2)),
    ):
        assert _parsed("meters[].settings", text) == settings
        assert texts.settings_text(settings) == text


def test_the_zone_is_ready_for_use():
    assert _parsed("gateway.zone", "CET-1CEST,M3.5.0,M10.5.0/3").offset_s(1751328000) == 7200
    assert _parsed("gateway.zone", "<%s>-8" % ("Z" * 44)).offset_s(1751328000) == 28800


def test_an_unknown_key_is_named_in_full():
    raw = _raw()
    raw["meters"] += [dict(raw["meters"][0], name="b"), dict(raw["meters"][0], name="c", Unit=1)]
    assert _fault(raw).key == "meters[2].Unit"
    for name in ("gateway", "network"):
        raw = _raw()
        raw[name]["colour"] = "red"
        assert _fault(raw).key == name + ".colour"
    for name in ("lines", "uplinks"):
        raw = _raw()
        raw[name][0]["colour"] = "red"
        assert _fault(raw).key == name + "[0].colour"
    raw = _raw()
    raw["meter"] = []
    error = _fault(raw)
    assert error.key == "meter"
    assert "meters" in error.allowed


def test_a_value_out_of_bounds_names_the_place_in_its_list():
    raw = _raw()
    raw["meters"] += [dict(raw["meters"][0], name="b"), dict(raw["meters"][0], name="c", unit=248)]
    assert _fault(raw).key == "meters[2].unit"
    raw["meters"][2] = dict(raw["meters"][0], name="c", number="161")
    assert _fault(raw).key == "meters[2].number"


def test_secrets_stand_in_their_own_file_only():
    raw = _raw()
    raw["network"]["password"] = "p"
    error = _fault(raw)
    assert error.key == "network.password"
    assert "secrets.json" in error.allowed
    raw = _raw()
    raw["uplinks"][0]["password"] = "p"
    assert _fault(raw).key == "uplinks[0].password"
    for secrets, key in (
        ({"network": {"ssid": "plant"}}, "secrets.network.ssid"),
        ({"uplinks": {"province": {"user": "u"}}}, "secrets.uplinks[0].user"),
        ({"uplinks": {"nobody": {"password": "p"}}}, "secrets.uplinks.nobody"),
        ({"gateway": {}}, "secrets.gateway"),
        ({"meters": {"nobody": {"password": "p"}}}, "secrets.meters.nobody"),
        ({"meters": {"main": {"unit": 1}}}, "secrets.meters[0].unit"),
        ({"lines": {}}, "secrets.lines"),
        ({"uplinks": []}, "secrets.uplinks"),
        ({"uplinks": {"province": "p"}}, "secrets.uplinks[0]"),
        ({"network": "p"}, "secrets.network"),
        ([], "secrets"),
    ):
        assert _fault(_raw(), secrets).key == key


def test_secrets_reach_the_section_of_their_name():
    raw = _raw()
    raw["uplinks"].insert(0, dict(raw["uplinks"][0], name="nation"))
    found = parse(raw, {"network": {"password": "wifi"}, "uplinks": {"province": {"password": "p"}}})
    assert found.network.password == "wifi"
    assert [uplink.password for uplink in found.uplinks] == ["", "p"]


def test_a_name_stands_once():
    for name in ("lines", "meters", "uplinks"):
        raw = _raw()
        raw[name].append(dict(raw[name][0]))
        assert _fault(raw).key == name + "[1].name"


def test_lists_have_their_bounds():
    for name, most in (("lines", 2), ("meters", 32), ("uplinks", 4)):
        raw = _raw()
        raw[name] = [dict(raw[name][0], name="n%d" % i) for i in range(most)]
        assert len(getattr(parse(raw), name)) == most
        raw[name].append(dict(raw[name][0], name="one_more"))
        assert _fault(raw).key == name
        for value in ({}, "A", None, 1):
            raw[name] = value
            assert _fault(raw).key == name


def test_what_must_be_an_object_is_named():
    assert _fault([]).key == "the file"
    for name in ("gateway", "network"):
        raw = _raw()
        raw[name] = []
        assert _fault(raw).key == name
    for name in ("lines", "meters", "uplinks"):
        raw = _raw()
        raw[name].append("x")
        assert _fault(raw).key == name + "[1]"


def test_sections_that_are_missing_take_their_defaults():
    found = parse({"gateway": {"id": "g", "zone": "CST-8"}})
    assert (found.lines, found.meters, found.uplinks) == ([], [], [])
    assert found.network.kind == "none"
    assert _fault({}).key == "gateway.id"


def test_text_and_hash_are_those_on_record():
    for case in golden("config"):
        found = parse(case["raw"], case["secrets"])
        assert config.text_of(found) == case["text"]
        assert found.hash == case["hash"]


def test_the_text_is_a_configuration_with_the_same_text():
    for case in golden("config"):
        found = parse(json.loads(case["text"]))
        assert config.text_of(found) == case["text"]
        assert found.hash == case["hash"]


def test_the_hash_changes_with_every_key_but_secrets():
    base = parse(_raw())
    for key in _VALUES:
        name, _, last = _place(key)
        if last == "password":
            continue
        changed = 0
        for value in _VALUES[key][0]:
            raw = _raw()
            (raw[name][0] if "[]" in key else raw[name])[last] = value
            found = parse(raw)
            section, old = getattr(found, name), getattr(base, name)
            new = getattr(section[0] if "[]" in key else section, last)
            if new != getattr(old[0] if "[]" in key else old, last):
                changed += 1
                assert found.hash != base.hash, (key, value)
        assert changed or key in ("gateway.zone", "meters[].protocol", "meters[].settings"), key


def test_no_secret_is_in_the_text():
    secrets = {"network": {"password": "hush-1"}, "uplinks": {"province": {"password": "hush-2"}}}
    found = parse(_raw(), secrets)
    assert "hush" not in config.text_of(found)
    assert "password" not in config.text_of(found)
    assert found.hash == parse(_raw()).hash


def test_every_kind_says_what_is_allowed():
    for key, kind, allowed, _, text in SCHEMA:
        says = forms.says(kind, allowed)
        assert says and "%" not in says, key
        assert text, key


def test_a_key_has_one_default_wherever_it_is():
    # They are attributes of the one class of all sections.
    found = {}
    for key, _, _, default, _ in config.SCHEMA:
        if default is not config.REQUIRED:
            assert found.setdefault(key.split(".")[1], default) == default, key
