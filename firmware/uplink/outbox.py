"""The ring as messages for one data centre, and its acknowledgements as a cursor in the ring.

Data waits in flash: an outbox may be thrown away at any time and begins again behind the cursor.
"""

import time

from micropython import const

from firmware.clock import day_text
from firmware.protocols import payload, record
from firmware.protocols.daytext import day_members

# Publishes in flight: enough to hide the round trip, few enough for a small heap.
_WINDOW = const(4)
# What comes to a readings message beside an element: the comma before it, the end behind it.
_END_BYTES = const(3)


class Outbox:
    """Outbox(log, gateway, consumer, message_bytes): consumer names the cursor; log is store.log.Log.

    lost(first seq, n) is called when records were overwritten or damaged before they were sent."""

    def __init__(self, log, gateway, consumer, message_bytes, lost):
        self._ring = log.ring
        self._meters = {meter.name: meter for meter in log.meters}
        self._gateway = gateway
        self._consumer = consumer
        self._message_bytes = message_bytes
        self._lost = lost
        self.n_lost = 0
        self.n_unreadable = 0
        self.n_messages = 0
        self.n_acknowledged = 0
        # What was gone before this start has been told, or is told by the seqs.
        self._told_seq = self._ring.first_seq
        self.restart()

    def restart(self):
        """Begin behind the cursor again; nothing is in flight."""
        self._read_seq = self._ring.cursor(self._consumer)
        self._reader = self._ring.reader(self._read_seq + 1, self._meters)
        self._held = None
        self._flight = []

    @property
    def backlog(self):
        """Records held and not acknowledged."""
        return self._ring.next_seq - 1 - max(self._ring.cursor(self._consumer), self._ring.first_seq - 1)

    def has_room(self):
        return len(self._flight) < _WINDOW

    def waiting_ms(self):
        """How long nothing has been acknowledged while a message is in flight; 0: none is."""
        return time.ticks_diff(time.ticks_ms(), self._flight[0][2]) if self._flight else 0

    @property
    def oldest_bytes(self):
        """The size of the oldest message in flight; 0: none is."""
        return self._flight[0][4] if self._flight else 0

    def put_next(self, message):
        """Put what comes next into a payload.Message: (kind of topic, last seq), or None. Order is the log's."""
        last = 0
        while True:
            found = self._held or self._next_record()
            self._held = None
            if found is None:
                break
            seq, item = found
            if item.kind in (record.READING, record.MISS):
                element = payload.reading(seq, item) if item.kind == record.READING else payload.miss(seq, item)
                if not last:
                    payload.start_readings(message, self._gateway, self._ring.log)
                elif len(message) + len(element.encode()) + _END_BYTES > self._message_bytes:
                    self._held = found
                    break
                message.add(element)
                last = seq
                continue
            if last:
                self._held = found
                break
            is_day = item.kind == record.DAY
            members = day_members(item, day_text(item.day)) if is_day else item.members
            payload.put_single(message, self._gateway, self._ring.log, seq, members)
            return "daily" if is_day else "event", seq
        if not last:
            return None
        message.end("]}")
        return "readings", last

    def _next_record(self):
        """(seq, decoded record) behind the last one read, or None at the end of the log."""
        while True:
            found = self._reader.next()
            if found is None:
                return None
            _, seq, item = found
            # Notes have no seq.
            if seq <= self._read_seq:
                continue
            self._tell_gap(self._read_seq + 1, seq)
            self._read_seq = seq
            if item is not None:
                return seq, item
            # It stands there and cannot be read: lost to the data centre all the same.
            self.n_unreadable += 1
            self._tell_gap(seq, seq + 1)

    def _tell_gap(self, first_seq, seq):
        """Count and tell the records first_seq..seq-1 as lost, each once, however often it is begun anew."""
        first_seq = max(first_seq, self._told_seq)
        if first_seq < seq:
            self._told_seq = seq
            self.n_lost += seq - first_seq
            self._lost(first_seq, seq - first_seq)

    def tell_overwritten(self):
        """Tell what has been overwritten before it was acknowledged: at once, since nobody may come to read on for months."""
        self._tell_gap(self._ring.cursor(self._consumer) + 1, self._ring.first_seq)

    def sent(self, packet_id, last_seq, n_bytes=0):
        """A message of n_bytes up to last_seq is under way; last_seq 0 for one that is not from the ring."""
        self._flight.append([packet_id, last_seq, time.ticks_ms(), False, n_bytes])
        self.n_messages += 1

    def acknowledged(self, packet_id):
        """A PUBACK came. The cursor moves over everything acknowledged without a hole before it."""
        for entry in self._flight:
            if entry[0] == packet_id:
                entry[3] = True
                self.n_acknowledged += bool(entry[1])
            # On a slow way those behind it are on the way only now.
            entry[2] = time.ticks_ms()
        while self._flight and self._flight[0][3]:
            seq = self._flight.pop(0)[1]
            if seq:
                self._ring.acknowledge(self._consumer, seq)
