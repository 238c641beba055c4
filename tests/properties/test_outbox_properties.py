"""outbox: whatever is acknowledged, cut and begun anew, each record arrives or is told as lost."""

import json

from hypothesis import given
from hypothesis import strategies as st

from firmware.clock import Zone
from firmware.protocols import payload, record
from firmware.protocols.record import MeterNames
from firmware.store.log import Log
from firmware.store.ring import Ring
from firmware.uplink.outbox import Outbox
from tests.sim.flash import Cut, NorFlash

_T0 = 1763740800
_POINTS = (("energy_import", "kWh", 2, record.REGISTER),)
_MESSAGE_BYTES = 512

steps = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 250)),
    st.tuples(st.just("event"), st.integers(0, 600)),
    st.tuples(st.just("send"), st.integers(1, 8)),
    st.tuples(st.just("acknowledge"), st.integers(0, 3)),
    st.tuples(st.just("serve"), st.integers(1, 60)),
    st.tuples(st.just("new_session"), st.none()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("cut"), st.integers(0, 2000)),
)


class World:
    """A gateway and the data centre's side: received and lost seqs; acknowledged, as the data centre has said."""

    def __init__(self):
        self.flash = NorFlash(5)
        self.n_read = 0
        self.received = set()
        self.lost = set()
        self.acknowledged = set()
        self.packet_id = 0
        self.start()

    def start(self):
        self.flash.power_on()
        self.ring = Ring(self.flash, lambda: _T0)
        self.log = Log(self.ring, Zone("CST-8"), "a1b2c3d4", [MeterNames("main", 60, _POINTS)])
        self.log.open()
        self.ring.keep_consumers(["province"])
        self.outbox = Outbox(self.log, "gw", "province", _MESSAGE_BYTES, self.tell_lost)
        self.message = payload.Message(_MESSAGE_BYTES)
        self.flight = {}

    def tell_lost(self, first_seq, n):
        assert n > 0
        self.lost |= set(range(first_seq, first_seq + n))

    def read(self, n):
        for _ in range(n):
            self.n_read += 1
            slot_s = _T0 + self.n_read * 60
            self.log.reading(0, slot_s, slot_s, 0, [self.n_read])

    def event(self, n):
        self.log.event('"event":"x","text":"%s"' % ("x" * n))

    def send(self, n):
        for _ in range(n):
            found = self.outbox.put_next(self.message) if self.outbox.has_room() else None
            if found is None:
                return
            kind, last_seq = found
            body = json.loads(self.message.joined())
            seqs = [element["seq"] for element in body["r"]] if kind == "readings" else [body["seq"]]
            assert seqs[-1] == last_seq and seqs == sorted(seqs)
            assert len(self.message) <= _MESSAGE_BYTES or len(seqs) == 1
            self.packet_id = self.packet_id % 65535 + 1
            self.outbox.sent(self.packet_id, last_seq)
            self.flight[self.packet_id] = seqs
            self.received |= set(seqs)

    def acknowledge(self, which):
        """The one of the packets under way that stands so far behind the oldest."""
        if self.flight:
            packet_id = list(self.flight)[which % len(self.flight)]
            self.acknowledged |= set(self.flight.pop(packet_id))
            self.outbox.acknowledged(packet_id)
        cursor = self.ring.cursor("province")
        assert all(seq in self.acknowledged or seq in self.lost for seq in range(1, cursor + 1))

    def serve(self, n):
        """A good time: messages go out and are acknowledged in order."""
        for _ in range(n):
            self.send(1)
            if not self.flight:
                return
            self.acknowledge(0)

    def new_session(self, _):
        self.flight = {}
        self.outbox.restart()

    def restart(self, _):
        self.start()

    def cut(self, n_bytes):
        self.flash.cut_after = n_bytes


@given(st.lists(steps, max_size=40))
def test_every_record_arrives_or_is_told_as_lost(plan):
    world = World()
    for step, argument in plan:
        try:
            getattr(world, step)(argument)
        except Cut:
            world.start()
    world.flash.power_on()
    world.new_session(None)
    world.serve(10000)
    stored = set(range(1, world.ring.next_seq))
    assert world.received | world.lost == stored
    assert world.outbox.backlog == 0
    # What was held to the end has arrived.
    assert set(range(world.ring.first_seq, world.ring.next_seq)) <= world.received
