"""Daily summaries and changes in a region of their own, where readings do not push them out: for years instead of months.

A ring like the other. Its records begin with the seq that they have in the log.
"""

from firmware.protocols import record
from firmware.protocols.dayrecord import put_day
from firmware.protocols.parts import Writer
from firmware.store.ring import Ring

# What is kept.
KINDS = (record.DAY, record.CHANGE)


class Archive:
    """Archive(device, now_s): mount() first. heading: as Ring has it. last_seq: of what is kept, the newest in the log."""

    def __init__(self, device, now_s):
        self.ring = Ring(device, now_s, True)
        self.last_seq = 0

    def mount(self, log):
        """As Ring.mount. log: the name of the log whose records it keeps; another one's seqs say nothing of it."""
        formatted = self.ring.mount()
        reader = self.ring.reader(self.ring.next_seq - 1)
        for _, seq, found in reader:
            if seq and found is not None:
                self.last_seq = found.log_seq if reader.decoder.about and reader.decoder.about.log == log else 0
        return formatted

    def keep_day(self, seq, index, day, every_s):
        """Keep a Day that the log has under this seq."""
        self._keep(seq, day, put_day(index, day, every_s))

    def keep_change(self, seq, change):
        """Keep a change, a record.Event, that the log has under this seq."""
        self._keep(seq, change, change.members.encode())

    def _keep(self, seq, found, payload):
        out = Writer().number(seq).bytes
        out.extend(payload)
        self.ring.append(found.kind, out, record.bounds_of(found))
        self.last_seq = seq
