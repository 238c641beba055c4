"""The main way: meters -> flash -> TLS -> data centre, by the unchanged firmware and real counterparts."""

import csv
import re
import signal
import time

from conftest import THREE, answer, config, meter, uplink

from metergate.broker import Broker
from metergate.demo import midnight_zone
from metergate.image import read_image
from metergate.processes import free_port, wait_for
from metergate.proxy import Proxy
from metergate.receive import Receiver


def delivered(receiver):
    with receiver.lock:
        return {seq for _, _, seq in receiver.seen}


def drained(gateway, receiver, seconds=20):
    """Wait until every stored record has reached the receiver; the stored records."""
    return wait_for(
        lambda: (found := read_image(gateway.ring)[1]) and {seq for seq, _ in found} <= delivered(receiver) and found,
        seconds,
        "everything stored is delivered",
    )


def test_readings_reach_the_data_centre_as_stored(gateway, broker, receiver, own):
    unit = gateway(config(THREE, [uplink(broker.port)]))
    wait_for(lambda: len(receiver.latest) == 3, 15, "readings of three meters")
    unit.kill()
    log, stored = read_image(unit.ring)
    by_seq = {seq: record for seq, record in stored if record.kind == 1}
    with receiver.lock:
        elements = {seq: e for (gw, name, seq), e in receiver.seen.items() if "p" in e and (gw, name) == ("gw-test", log)}
    assert elements
    for seq, element in elements.items():
        record = by_seq[seq]
        assert (element["s"], element["t"], element["m"], element["q"]) == (
            record.slot_s,
            record.at_s,
            record.meter,
            record.quality,
        )
        for (name, _, decimals, _), value in zip(record.points, record.values):
            assert element["p"][name].scaleb(decimals) == value
            assert -element["p"][name].as_tuple().exponent == decimals


def test_slots_are_aligned_and_registers_grow(gateway, broker, receiver, line):
    gateway(config([meter("main", 1, "sdm630", every_s=2)], [uplink(broker.port)]))
    wait_for(lambda: sum("p" in e for e in receiver.seen.values()) >= 4, 15, "four readings")
    with receiver.lock:
        rows = sorted((e["s"], e["t"], e["p"]["energy_import"]) for e in receiver.seen.values() if "p" in e)
    assert all(slot % 2 == 0 and 0 <= at - slot <= 1 for slot, at, _ in rows[1:])
    # 36 MW of the simulated load, give or take a fifth, are 8 to 12 kWh a second; the first reading was no slot's.
    seconds = rows[-1][0] - rows[1][0]
    assert 7 * seconds < rows[-1][2] - rows[1][2] < 13 * seconds


def test_a_day_is_summed_up_at_local_midnight(gateway, broker, receiver):
    zone = midnight_zone(int(time.time()) + 6)
    unit = gateway(config(THREE, [uplink(broker.port)], zone))
    wait_for(lambda: len(receiver.days) == 3, 20, "three daily summaries")
    drained(unit, receiver)
    with receiver.lock:
        day = next(d for d in receiver.days if d["m"] == "main")
        readings = [e for e in receiver.seen.values() if "p" in e and e["m"] == "main"]
    part = day["energy_import"]["parts"][0]
    midnight = [e for e in readings if e["s"] == part["end_t"]]
    assert day["due"] == 86400 and day["zone"] == zone
    assert day["energy_import"]["used"] == part["end"] - part["start"] > 0
    assert midnight and midnight[0]["p"]["energy_import"] == part["end"]
    in_day = [e["p"]["power"] for e in readings if e["s"] < part["end_t"]]
    assert (day["power"]["min"], day["power"]["max"], day["got"]) == (min(in_day), max(in_day), len(in_day))
    assert day["got"] + sum(day["missed"].values()) == day["due"]


def test_status_points_and_health_are_retained_and_the_will_says_offline(gateway, broker, receiver):
    unit = gateway(config(THREE, [uplink(broker.port)]))
    wait_for(lambda: "gw-test/health" in receiver.retained, 15, "health")
    with receiver.lock:
        status, points = receiver.retained["gw-test/status"], receiver.retained["gw-test/points"]
        health = receiver.retained["gw-test/health"]
    assert status["online"] is True and status["boot"] == 1
    assert [m["m"] for m in points["meters"]] == ["main", "boiler", "press"]
    assert points["meters"][0]["points"][0]["resolution"] == "0.01"
    assert health["uplinks"][0]["connected"] is True and health["lines"][0]["name"] == "A"
    unit.kill()
    wait_for(lambda: receiver.retained["gw-test/status"]["online"] is False, 10, "the last will")


def test_a_broker_that_dies_costs_nothing(gateway, broker, certs, own):
    # The proxy lets the gateway in only while the receiver listens: what is acknowledged has a witness.
    gate = own(Proxy(broker.port))
    gate.set_open(False)
    receiver = own(Receiver(broker.port, certs / "ca.pem", gate.set_open))
    unit = gateway(config(THREE, [uplink(gate.port)]))
    wait_for(lambda: len(delivered(receiver)) > 6, 15, "readings")
    for _ in range(2):
        broker.kill()
        before = read_image(unit.ring)[1][-1][0]
        wait_for(lambda before=before: read_image(unit.ring)[1][-1][0] > before + 6, 15, "readings while the broker is down")
        broker.start()
        drained(unit, receiver, 30)


def test_a_second_data_centre_that_is_down_does_not_hold_up_the_first(gateway, broker, receiver):
    unit = gateway(config(THREE, [uplink(free_port(), "dead"), uplink(broker.port, "alive")]))
    wait_for(lambda: len(receiver.latest) == 3, 15, "readings of three meters")
    drained(unit, receiver)
    text = answer(unit, "status")
    assert "alive: connected" in text
    assert "dead: not connected" in text and "failed" in text


def test_export_gives_the_stored_readings(gateway, line):
    unit = gateway(config(THREE))
    wait_for(lambda: unit.ring.exists() and len(read_image(unit.ring)[1]) > 8, 15, "readings")
    lines = answer(unit, "export").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = [row for row in csv.DictReader(line for line in lines[:-1] if line not in comments) if not row["other"]]
    assert re.fullmatch(r"# end: \d+ records, seq 1..\d+, 0 places could not be read", comments[-1])
    stored = {(seq, record.meter) for seq, record in read_image(unit.ring)[1] if record.kind == 1}
    exported = {(int(row["seq"]), row["meter"]) for row in rows}
    assert exported and exported <= stored
    assert {row["unit"] for row in rows} == {"kWh", "kW"}


def test_console_answers_while_measuring_goes_on(gateway, line):
    unit = gateway(config(THREE))
    wait_for(lambda: unit.ring.exists(), 15, "ring")
    assert "config show" in answer(unit, "help")
    assert "energy_import" in answer(unit, "read main") and "press" in answer(unit, "meters")
    assert '"gateway"' in answer(unit, "config show")
    assert "no command frobnicate; `help` lists them" in answer(unit, "frobnicate")
    assert "no meter x" in answer(unit, "read x")


def test_amqtt_does_where_there_is_no_mosquitto(gateway, tmp_path, certs, own, monkeypatch):
    monkeypatch.setenv("METERGATE_BROKER", "amqtt")
    broker = own(Broker(tmp_path / "amqtt", certs)).start()
    listening = []
    receiver = own(Receiver(broker.port, certs / "ca.pem", listening.append))
    wait_for(lambda: True in listening, 10, "receiver")
    unit = gateway(config(THREE, [uplink(broker.port)]))
    wait_for(lambda: len(receiver.latest) == 3, 20, "readings of three meters")
    assert drained(unit, receiver)


def test_ctrl_c_at_the_console_writes_down_what_is_in_memory(gateway, line):
    unit = gateway(config(THREE))
    wait_for(lambda: unit.ring.exists() and len(read_image(unit.ring)[1]) > 3, 15, "readings")
    unit.signal(signal.SIGINT)
    assert unit.wait(5) == 0
    assert unit.console().endswith("stopped; what was measured is stored\n")


def test_restart_at_the_console_starts_anew_and_leaves_no_gap(gateway, line):
    unit = gateway(config(THREE))
    wait_for(lambda: unit.ring.exists() and len(read_image(unit.ring)[1]) > 6, 15, "readings")
    unit.type("restart")
    wait_for(lambda: unit.console().count("> ") > 1 and "restarting" in unit.console(), 5, "restart")
    before = len(read_image(unit.ring)[1])
    wait_for(lambda: len(read_image(unit.ring)[1]) > before + 6, 15, "readings after it")
    found = read_image(unit.ring)[1]
    assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
    starts = [record.members for _, record in found if record.kind == 4 and '"event":"start"' in record.members]
    assert len(starts) == 2 and '"boot":2' in starts[1]
