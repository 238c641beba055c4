"""plan: which meters' clocks may be set, or the key that says otherwise is named."""

from memory import raised

from firmware import plan
from firmware.config import parse
from firmware.errors import ConfigError

_A = {"name": "A", "uart": 1, "tx": 17, "rx": 16}
_B = {"name": "B", "uart": 2, "tx": 14, "rx": 15}


def _meter(protocol, profile, number="", line="A", set_clock="never", name="a", **keys):
    keys.update({"name": name, "line": line, "protocol": protocol, "profile": profile, "set_clock": set_clock})
    keys["number" if number else "unit"] = number or 1
    return keys


def _dlt(set_clock="never", number="000000000162", **keys):
    return _meter("dlt645", "dlt645_3p", number, set_clock=set_clock, **keys)


def _old(set_clock="never", number="000000000162", **keys):
    return _meter("dlt645-1997", "dlt645_1997_3p", number, set_clock=set_clock, **keys)


def _modbus(set_clock="never"):
    return _meter("modbus", "sdm630", set_clock=set_clock)


def _water(set_clock="never"):
    return _meter("cjt188", "water", "78330011223344", set_clock=set_clock, every_s=3600)


def _checked(meters, secrets=None):
    raw = {"gateway": {"id": "gw-0001", "zone": "CST-8"}, "lines": [_A, _B], "meters": meters}
    return plan.check(parse(raw, {"meters": secrets} if secrets else {}))


def _fault(meters, secrets=None):
    return raised(ConfigError, _checked, meters, secrets).args


def test_only_clocks_of_dlt645_meters_are_set():
    for make in (_modbus, _water):
        _checked([make()])
        for set_clock in ("broadcast", "write"):
            assert _fault([make(set_clock)]) == (
                "meters[0].set_clock",
                "must be never: only DL/T 645 meters' clocks are set",
            )
    for make in (_dlt, _old):
        _checked([make("broadcast")])


def test_a_clock_is_written_with_a_password_to_a_known_number():
    secrets = {"a": {"password": "02123456"}}
    for meter in (_old("write"), _dlt("write", "A" * 12)):
        key, allowed = _fault([meter], secrets)
        assert key == "meters[0].set_clock" and "not be write" in allowed
    for password in ("", "0212345", "021234567", "02 23456", "0212345G", "x"):
        key, allowed = _fault([_dlt("write")], {"a": {"password": password}})
        assert key == "secrets.meters.a.password" and "8 hex digits" in allowed, password
    assert _fault([_dlt("write")])[0] == "secrets.meters.a.password"
    for password in ("02123456", "04ABCDEF", "00000000"):
        _checked([_dlt("write")], {"a": {"password": password}})
    key, allowed = _fault([_dlt()], secrets)
    assert key == "secrets.meters.a.password" and "not be there" in allowed


def test_a_broadcast_sets_no_clock_that_is_never_to_be_set():
    loud = _dlt("broadcast", "000000000161", name="loud")
    for other in (_dlt(), _old(settings="2400 8E1"), _dlt(settings="2400 8E1")):
        for meters in ([loud, other], [other, loud]):
            assert _fault(meters) == (
                "meters[%d].set_clock" % meters.index(other),
                "must not be never: the broadcast for meter loud sets this one's clock too",
            )
    # Of other settings, on another line, of another protocol: they do not hear it.
    for other in (_dlt("broadcast"), _dlt(settings="9600 8E1"), _old(), _dlt(line="B"), _modbus(), _water()):
        _checked([loud, other])
