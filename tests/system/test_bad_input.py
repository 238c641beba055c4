"""What people and the world get wrong: one line that helps, and nothing lost."""

import json

import pytest
from conftest import THREE, answer, config, meter, uplink
from test_whole import drained

from metergate.broker import Broker
from metergate.certificates import make_certificates
from metergate.image import read_image
from metergate.processes import wait_for
from metergate.receive import Receiver

_FAULTS = (
    (lambda c: c["gateway"].pop("id"), "gateway.id is missing; must be"),
    (lambda c: c["gateway"].update(zone="Beijing"), "gateway.zone must be a POSIX TZ string"),
    (lambda c: c["meters"][1].update(unit=248), "meters[1].unit must be a whole number 0..247"),
    (lambda c: c["meters"][1].update(unit=2.0), "meters[1].unit must be a whole number 0..247"),
    (lambda c: c["meters"][0].update(evry_s=60), "meters[0].evry_s is no key; known here"),
    (lambda c: c["meters"][0].update(profile="sdm999"), "meters[0].profile must be one of: adl400, adw300, b23"),
    (lambda c: c["meters"][0].update(profile="water"), "meters[0].protocol must be cjt188, which profile water is for"),
    (lambda c: c["meters"][0].pop("unit"), "meters[0].unit is missing; must be 1..247"),
    (lambda c: c["meters"][0].update(number="000000000001"), "meters[0].number must not be there: a Modbus meter has a unit"),
    (lambda c: c["meters"][0].update(points=["watts"]), "meters[0].points must be points of sdm630"),
    (lambda c: c["meters"][0].update(line="B"), "meters[0].line must be the name of a line: A"),
    (lambda c: c["meters"][0].update(unit=2), "meters[1].unit must be a unit used once on a line"),
    (lambda c: c["uplinks"].append({"name": "x", "host": "h"}), "uplinks[0].ca is missing; must be"),
    (lambda c: _second(c, uart=1), "lines[1].uart must be a uart used once; 1 is taken"),
    (lambda c: _second(c, tx=16), "lines[1].tx must be a pin used once; 16 is taken"),
    (lambda c: _second(c, de=4), "lines[1].de must be a pin used once; 4 is taken"),
    (lambda c: _second(c, rx=18), "lines[1].rx must be a pin used once; 18 is taken"),
    (lambda c: c["lines"][0].update(bus="mbus"), "lines[0].de must not be there: an M-Bus converter has no driver-enable"),
    (lambda c: c["lines"][0].update(wake_bytes=20), "meters[0].protocol must not be modbus: line A has wake_bytes"),
    (lambda c: c["meters"][0].update(settings="9600 8X1"), "meters[0].settings must be"),
    (lambda c: c["meters"][0].update(settings="250000 8N1"), "meters[0].settings must be"),
    (
        lambda c: c["meters"][0].update(timeout_ms=50, timeout_least_ms=60),
        "meters[0].timeout_least_ms must be at most timeout_ms, 50",
    ),
    (lambda c: c["meters"][0].update(set_clock="broadcast"), "meters[0].set_clock must be never: only DL/T 645"),
)


def _second(settings, **keys):
    """One more line beside the first one, whose pins are 17, 16 and 4."""
    assert settings["lines"][0]["de"] == 4
    settings["lines"].append(dict({"name": "B", "uart": 2, "tx": 18, "rx": 19, "de": 5}, **keys))


@pytest.mark.parametrize("fault, line", _FAULTS, ids=[line.split(" ")[0] + str(i) for i, (_, line) in enumerate(_FAULTS)])
def test_impossible_configuration_ends_with_status_2_and_one_line(gateway, fault, line):
    settings = config(THREE)
    fault(settings)
    unit = gateway(settings)
    assert unit.wait(10) == 2
    assert unit.console().startswith("metergate: " + line)
    assert unit.console().count("\n") == 1
    assert not unit.ring.exists()


def test_a_baud_rate_that_the_port_cannot_do_is_named_by_its_meter(gateway):
    unit = gateway(config(THREE))
    unit.kill()
    simulation = json.loads((unit.folder / "sim.json").read_text())
    (unit.folder / "sim.json").write_text(json.dumps({**simulation, "most_baud": 57600}))
    settings = config(THREE)
    settings["meters"][1]["settings"] = "115200 8N1"
    (unit.folder / "config.json").write_text(json.dumps(settings))
    unit.log.unlink()
    unit.start()
    assert unit.wait(10) == 2
    assert unit.console() == "metergate: meters[1].settings must be what UART and line can do; it says: baudrate\n"


def test_broken_json_is_named_by_its_file(gateway, tmp_path):
    unit = gateway(config(THREE))
    unit.kill()
    (unit.folder / "config.json").write_text('{"gateway":')
    unit.log.unlink()
    unit.start()
    assert unit.wait(10) == 2
    assert unit.console().startswith("metergate: config.json is not JSON: line 1: a value is missing")


def test_a_board_with_broken_configuration_opens_a_safe_console_and_mends_itself(gateway, line):
    settings = config(THREE)
    unit = gateway(settings)
    unit.kill()
    simulation = json.loads((unit.folder / "sim.json").read_text())
    (unit.folder / "sim.json").write_text(json.dumps({**simulation, "as_board": True}))
    (unit.folder / "good.json").write_text(json.dumps(settings))
    settings["meters"][0]["unit"] = 0
    (unit.folder / "config.json").write_text(json.dumps(settings))
    unit.start()
    wait_for(lambda: "safe mode: meters[0].unit" in unit.console(), 10, "safe console")
    assert "safe mode" in answer(unit, "status")
    assert "needs the gateway running" in answer(unit, "meters")
    assert "good.json is valid" in answer(unit, "config load good.json")
    unit.type("restart")
    wait_for(lambda: len(read_image(unit.ring)[1]) > 3 if unit.ring.exists() else False, 15, "measuring")


def test_config_load_refuses_a_broken_file_and_the_old_one_stays(gateway, line):
    unit = gateway(config(THREE))
    before = (unit.folder / "config.json").read_text()
    bad = config(THREE)
    bad["meters"][2]["every_s"] = 7
    (unit.folder / "new.json").write_text(json.dumps(bad))
    wait_for(lambda: "> " in unit.console(), 10, "prompt")
    assert "meters[2].every_s must be a whole number 1..86400 that divides 86400" in answer(unit, "config load new.json")
    assert "nothing.json cannot be read" in answer(unit, "config load nothing.json")
    assert (unit.folder / "config.json").read_text() == before


@pytest.mark.parametrize("host", ["localhost", "other.example"], ids=["foreign CA", "foreign name"])
def test_a_certificate_that_does_not_match_is_refused_and_readings_wait(gateway, tmp_path, own, certs, host):
    foreign = make_certificates(tmp_path / "foreign", host)
    broker = own(Broker(tmp_path / "broker", foreign)).start()
    ca = certs / "ca.der" if host == "localhost" else foreign / "ca.der"
    unit = gateway(config(THREE, [uplink(broker.port)]), ca=ca)
    wait_for(lambda: "tls: certificate" in answer(unit, "status"), 15, "refusal in status")
    assert "centre: not connected" in answer(unit, "status")
    stored = len(read_image(unit.ring)[1])
    unit.kill()
    broker.kill()
    # The right certificate: everything stored meanwhile arrives.
    good = own(Broker(tmp_path / "good", certs)).start()
    listening = []
    receiver = own(Receiver(good.port, certs / "ca.pem", listening.append))
    wait_for(lambda: True in listening, 10, "receiver")
    unit.configure(config(THREE, [uplink(good.port)]))
    (unit.folder / "ca.der").write_bytes((certs / "ca.der").read_bytes())
    unit.start()
    assert len(drained(unit, receiver)) > stored


def test_without_its_ca_there_is_no_uplink(gateway, broker, receiver):
    unit = gateway(config(THREE, [uplink(broker.port)]), ca=None)
    wait_for(lambda: "tls: no CA file ca.der" in answer(unit, "status"), 15, "refusal in status")
    assert receiver.n_messages == 0
    assert len(read_image(unit.ring)[1]) > 1


def test_wrong_password_is_said_and_never_shown(gateway, tmp_path, certs, own):
    broker = own(Broker(tmp_path / "broker", certs, anonymous=False)).start()
    settings = config(THREE, [uplink(broker.port, user="gw-test")])
    unit = gateway(settings, secrets={"uplinks": {"centre": {"password": "open sesame"}}})
    wait_for(lambda: "connect: not authorised" in answer(unit, "status"), 15, "refusal in status")
    answer(unit, "config show")
    assert "sesame" not in unit.console()


def test_a_silent_meter_is_a_miss_and_costs_the_others_nothing(gateway, broker, receiver):
    dead = meter("dead", 77, "sdm630", every_s=2, timeout_ms=100, retries=1)
    unit = gateway(config([dead, *THREE[1:]], [uplink(broker.port)]))

    def missed():
        return any(e.get("miss") == "no reply" for e in receiver.seen.values())

    wait_for(lambda: missed() and len(receiver.latest) == 2, 15, "miss and readings")
    with receiver.lock:
        misses = [e for e in receiver.seen.values() if "miss" in e]
    assert {e["miss"] for e in misses if e["m"] == "dead"} <= {"no reply", "not running"}
    assert "dead" not in receiver.latest
    assert "heard nothing. Powered?" in answer(unit, "read dead")


def test_a_meter_that_refuses_is_a_miss_with_its_code(gateway, broker, receiver):
    # Unit 2 is an SDM120: it has none of a DTSU666's registers.
    gateway(config([meter("wrong", 2, "dtsu666")], [uplink(broker.port)]))
    wait_for(lambda: any(e.get("miss") == "refused 02" for e in receiver.seen.values()), 15, "miss")
