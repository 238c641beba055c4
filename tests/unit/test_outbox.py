"""outbox: the log's records in order as messages, and a cursor that never passes what was not acknowledged."""

import json

from firmware.clock import Zone
from firmware.protocols import payload, record
from firmware.protocols.record import MeterNames
from firmware.store.log import Log
from firmware.store.ring import Ring
from firmware.uplink.outbox import Outbox
from tests.sim.flash import NorFlash

_CHINA = Zone("CST-8")
_T0 = 1763740800  # local midnight
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))


class _Gateway:
    """A log of one meter and an outbox for one data centre; lost: what the outbox told."""

    def __init__(self, message_bytes=2048, n_blocks=4, flash=None):
        self.flash = flash or NorFlash(n_blocks)
        self.ring = Ring(self.flash, lambda: _T0)
        self.log = Log(self.ring, _CHINA, "a1b2c3d4", [MeterNames("main", 60, _POINTS)])
        self.log.open()
        self.ring.keep_consumers(["province"])
        self.lost = []
        self.outbox = self.make_outbox(message_bytes)
        self.n_read = 0

    def make_outbox(self, message_bytes=2048, consumer="province"):
        return Outbox(self.log, "gw-0001", consumer, message_bytes, lambda first, n: self.lost.append((first, n)))

    def read(self, n=1):
        for _ in range(n):
            self.n_read += 1
            slot_s = _T0 + self.n_read * 60
            self.log.reading(0, slot_s, slot_s + 1, 0, [self.n_read, None])

    def lap(self):
        """Events until nothing that stands there now is held any more."""
        last_seq = self.ring.next_seq
        while self.ring.first_seq <= last_seq:
            self.log.event('"event":"%s"' % ("x" * 700))


def _next(outbox):
    """(topic, message, last seq) of what the outbox gives next, or None."""
    message = payload.Message(512)
    found = outbox.put_next(message)
    return (found[0], message.joined(), found[1]) if found else None


def _seqs(message):
    """The seqs a message carries, by its JSON."""
    topic, text, last_seq = message
    body = json.loads(text)
    assert (body["v"], body["gw"]) == (1, "gw-0001")
    seqs = [element["seq"] for element in body["r"]] if topic == "readings" else [body["seq"]]
    assert seqs[-1] == last_seq
    return seqs


def _all(outbox):
    messages = []
    while True:
        message = _next(outbox)
        if message is None:
            return messages
        messages.append(message)


def test_nothing_stored_is_nothing_to_send():
    gateway = _Gateway()
    assert _next(gateway.outbox) is None
    assert gateway.outbox.backlog == 0


def test_readings_and_misses_go_together_in_the_logs_order():
    gateway = _Gateway()
    gateway.read(2)
    gateway.log.miss(0, _T0 + 180, "no reply")
    (message,) = _all(gateway.outbox)
    assert message[0] == "readings"
    body = json.loads(message[1])
    assert body["log"] == gateway.ring.log
    assert [sorted(element) for element in body["r"]] == [["m", "p", "q", "s", "seq", "t"]] * 2 + [
        ["m", "miss", "n", "s", "s_end", "seq"]
    ]
    assert '"p":{"energy_import":0.02,"power":null}' in message[1].decode()
    assert _seqs(message) == [1, 2, 3]


def test_every_record_is_sent_once_in_order_and_no_message_is_too_large():
    for message_bytes in (512, 700, 2048, 8192):
        gateway = _Gateway(message_bytes, 16)
        gateway.read(200)
        messages = _all(gateway.outbox)
        assert [seq for message in messages for seq in _seqs(message)] == list(range(1, 201))
        for message in messages:
            assert len(message[1]) <= message_bytes
        # They are not sent one by one either.
        for message in messages[:-1]:
            assert len(message[1]) > message_bytes - 200


def test_a_single_element_larger_than_a_message_is_sent_all_the_same():
    gateway = _Gateway(100)
    gateway.read(3)
    assert [_seqs(message) for message in _all(gateway.outbox)] == [[1], [2], [3]]


def test_days_and_events_are_messages_of_their_own_between_readings():
    gateway = _Gateway()
    gateway.read(2)
    gateway.log.event('"t":1,"event":"start"')
    gateway.log.event('"t":2,"event":"change"', record.CHANGE)
    gateway.read()
    gateway.log.reading(0, _T0 + 86400, _T0 + 86401, 0, [9, 9])
    messages = _all(gateway.outbox)
    assert [(message[0], _seqs(message)) for message in messages] == [
        ("readings", [1, 2]),
        ("event", [3]),
        ("event", [4]),
        ("readings", [5, 6]),
        ("daily", [7]),
    ]
    assert json.loads(messages[1][1])["event"] == "start"
    assert json.loads(messages[4][1])["day"] == "2025-11-22"


def test_what_is_stored_later_is_sent_later():
    gateway = _Gateway()
    for i in range(1, 300):
        gateway.read()
        assert _seqs(_next(gateway.outbox)) == [i]
        assert _next(gateway.outbox) is None


def test_an_acknowledgement_moves_the_cursor():
    gateway = _Gateway()
    gateway.read(3)
    gateway.outbox.sent(7, _seqs(_next(gateway.outbox))[-1])
    assert gateway.ring.cursor("province") == 0 and gateway.outbox.backlog == 3
    gateway.outbox.acknowledged(7)
    assert gateway.ring.cursor("province") == 3 and gateway.outbox.backlog == 0
    assert gateway.outbox.waiting_ms() == 0


def test_acknowledgements_out_of_order_move_it_over_what_has_no_hole_only():
    gateway = _Gateway(100)
    gateway.read(4)
    for packet_id in (1, 2, 3, 4):
        gateway.outbox.sent(packet_id, _next(gateway.outbox)[2])
    for packet_id, cursor in ((3, 0), (2, 0), (2, 0), (1, 3), (4, 4)):
        gateway.outbox.acknowledged(packet_id)
        assert gateway.ring.cursor("province") == cursor, packet_id


def test_an_acknowledgement_of_a_packet_nobody_sent_moves_nothing():
    gateway = _Gateway()
    gateway.read(2)
    gateway.outbox.sent(1, _next(gateway.outbox)[2])
    for packet_id in (0, 2, 65535):
        gateway.outbox.acknowledged(packet_id)
    assert gateway.ring.cursor("province") == 0


def test_a_message_that_is_not_from_the_ring_leaves_the_cursor_alone():
    gateway = _Gateway()
    gateway.read(2)
    gateway.outbox.sent(1, _next(gateway.outbox)[2])
    gateway.outbox.sent(2, 0)
    gateway.outbox.acknowledged(2)
    assert gateway.ring.cursor("province") == 0
    gateway.outbox.acknowledged(1)
    assert gateway.ring.cursor("province") == 2
    gateway.outbox.sent(3, 0)
    gateway.outbox.acknowledged(3)
    assert gateway.ring.cursor("province") == 2


def test_four_messages_may_be_under_way():
    gateway = _Gateway(100)
    gateway.read(5)
    for packet_id in (1, 2, 3, 4):
        assert gateway.outbox.has_room()
        gateway.outbox.sent(packet_id, _next(gateway.outbox)[2])
    assert not gateway.outbox.has_room()
    gateway.outbox.acknowledged(2)
    assert not gateway.outbox.has_room()
    gateway.outbox.acknowledged(1)
    assert gateway.outbox.has_room()
    assert gateway.outbox.n_messages == 4


def test_a_new_session_sends_again_what_was_not_acknowledged():
    gateway = _Gateway(100)
    gateway.read(5)
    for packet_id in (1, 2, 3):
        gateway.outbox.sent(packet_id, _next(gateway.outbox)[2])
    gateway.outbox.acknowledged(1)
    gateway.outbox.acknowledged(3)
    gateway.outbox.restart()
    assert gateway.outbox.has_room()
    # Late acknowledgements of the old session do not count.
    gateway.outbox.acknowledged(2)
    assert gateway.ring.cursor("province") == 1
    assert [_seqs(message) for message in _all(gateway.outbox)] == [[2], [3], [4], [5]]


def test_a_start_goes_on_behind_the_durable_cursor():
    gateway = _Gateway(100)
    gateway.read(60)
    for packet_id in range(1, 51):
        gateway.outbox.sent(packet_id, _next(gateway.outbox)[2])
        gateway.outbox.acknowledged(packet_id)
    gateway.ring.save_cursors(force=True)
    again = _Gateway(flash=gateway.flash)
    assert again.outbox.backlog == 10
    assert [seq for message in _all(again.outbox) for seq in _seqs(message)] == list(range(51, 61))


def test_data_centres_have_cursors_of_their_own():
    gateway = _Gateway()
    gateway.read(3)
    gateway.ring.keep_consumers(["province", "nation"])
    nation = gateway.make_outbox(consumer="nation")
    gateway.outbox.sent(1, _next(gateway.outbox)[2])
    gateway.outbox.acknowledged(1)
    assert (gateway.outbox.backlog, nation.backlog) == (0, 3)
    assert [_seqs(message) for message in _all(nation)] == [[1, 2, 3]]


def test_records_overwritten_before_they_were_sent_are_counted_and_told_once():
    gateway = _Gateway(100)
    gateway.read(10)
    for packet_id in range(1, 6):
        gateway.outbox.sent(packet_id, _next(gateway.outbox)[2])
        gateway.outbox.acknowledged(packet_id)
    gateway.lap()
    first = gateway.ring.first_seq
    assert first > 10
    # The session dies again and again before anything more is acknowledged.
    for _ in range(3):
        gateway.outbox.restart()
        assert _seqs(_next(gateway.outbox)) == [first]
    assert gateway.lost == [(6, first - 6)]
    assert gateway.outbox.n_lost == first - 6


def test_records_overwritten_while_being_sent_are_counted():
    gateway = _Gateway(100)
    gateway.read(10)
    for seq in range(1, 6):
        assert _seqs(_next(gateway.outbox)) == [seq]
    gateway.lap()
    # The record it has read already is not lost.
    assert _seqs(_next(gateway.outbox)) == [6]
    assert _seqs(_next(gateway.outbox)) == [gateway.ring.first_seq]
    assert gateway.lost == [(7, gateway.ring.first_seq - 7)]


def test_a_data_centre_that_was_never_reached_is_told_what_it_lost():
    gateway = _Gateway(100)
    gateway.lap()
    first = gateway.ring.first_seq
    gateway.outbox.restart()
    assert _seqs(_next(gateway.outbox)) == [first]
    assert gateway.lost == [(1, first - 1)]


def test_a_data_centre_that_is_new_has_lost_nothing():
    gateway = _Gateway(100)
    gateway.lap()
    gateway.ring.keep_consumers(["province", "nation"])
    nation = gateway.make_outbox(consumer="nation")
    first = gateway.ring.first_seq
    assert nation.backlog == gateway.ring.next_seq - first
    assert _seqs(_next(nation)) == [first]
    assert gateway.lost == [] and nation.n_lost == 0


def test_damaged_records_are_told_as_lost_and_the_rest_is_sent():
    gateway = _Gateway(n_blocks=8)
    gateway.read(600)
    gateway.flash.bytes[2000] ^= 1
    again = _Gateway(flash=gateway.flash)
    seqs = [seq for message in _all(again.outbox) for seq in _seqs(message)]
    missing = [seq for seq in range(1, 601) if seq not in seqs]
    # What is told against a damaged reading is lost with it, up to the meter's next key.
    assert missing and missing[-1] - missing[0] < 61 and missing == list(range(missing[0], missing[-1] + 1))
    assert seqs == [seq for seq in range(1, 601) if seq not in missing]
    assert again.lost == [(missing[0], len(missing))]
    assert again.outbox.n_lost == len(missing)


def test_records_nobody_can_read_are_passed_over_and_counted():
    gateway = _Gateway(100)
    gateway.read()
    gateway.ring.append(record.READING, b"\x09short")
    gateway.ring.append(9, b"a kind of the future")
    gateway.read()
    assert [_seqs(message) for message in _all(gateway.outbox)] == [[1], [4]]
    assert gateway.outbox.n_unreadable == 2
    assert gateway.lost == [(2, 1), (3, 1)]


def test_readings_of_an_older_configuration_keep_their_names():
    gateway = _Gateway()
    gateway.read()
    log = Log(Ring(gateway.flash, lambda: _T0), _CHINA, "00000000", [MeterNames("other", 60, _POINTS[:1])])
    log.open()
    log.ring.keep_consumers(["province"])
    log.reading(0, _T0 + 600, _T0 + 601, 0, [5])
    outbox = Outbox(log, "gw-0001", "province", 2048, None)
    (message,) = _all(outbox)
    assert [(e["m"], sorted(e["p"])) for e in json.loads(message[1])["r"] if "p" in e] == [
        ("main", ["energy_import", "power"]),
        ("other", ["energy_import"]),
    ]


def test_what_is_overwritten_while_nobody_reads_is_told_at_once_and_once():
    gateway = _Gateway()
    gateway.read(10)
    gateway.outbox.tell_overwritten()
    assert gateway.lost == []
    gateway.lap()
    first = gateway.ring.first_seq
    for _ in range(3):
        gateway.outbox.tell_overwritten()
    assert gateway.lost == [(1, first - 1)] and gateway.outbox.n_lost == first - 1
    # A session that begins later does not tell it again, nor does another start.
    gateway.outbox.restart()
    assert _seqs(_next(gateway.outbox))[0] == first
    assert gateway.lost == [(1, first - 1)]
    again = _Gateway(flash=gateway.flash)
    again.outbox.tell_overwritten()
    assert _seqs(_next(again.outbox))[0] == first and again.lost == []
    again.lap()
    again.outbox.tell_overwritten()
    assert again.lost == [(first, again.ring.first_seq - first)]
