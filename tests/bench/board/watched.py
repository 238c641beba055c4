"""What goes over a simulated wire, written down beside what the wire needs for it. On the board and on the PC."""

from tests.sim.chars import silence_us, span_us


class Exchange:
    """A request as the line carried it, and the reply, b"" if there was none: when its first bit began, when its last ended.

    needed_us: what the wire needs for both, with the meter's turnaround, and one silence."""

    reply = b""
    end_us = needed_us = 0

    def __init__(self, settings, request, begun_us):
        self.settings = settings
        self.request = request
        self.begun_us = begun_us

    def answered(self, reply, start_us, turnaround_us):
        self.reply = reply
        self.end_us = start_us + span_us(self.settings, len(reply))
        self.needed_us = span_us(self.settings, len(self.request) + len(reply)) + turnaround_us + silence_us(self.settings)


class Slave:
    """A simulated meter on the wire, whose replies are told: replied(slave, start_us, reply)."""

    def __init__(self, slave, replied):
        self._slave = slave
        self._replied = replied
        self.settings = slave.settings

    def hear(self, data, first_us, end_us):
        answer = self._slave.hear(data, first_us, end_us)
        if answer:
            self._replied(self._slave, *answer)
        return answer


class Watch:
    """Watch(wire): exchanges, the newest last, while is_on; attach(slave) puts a simulated meter on the wire.

    on_reply: None, or called with a slave and its whole reply."""

    on_reply = None

    def __init__(self, wire):
        self.wire = wire
        self.is_on = False
        self.exchanges = []
        self._write = wire.write
        wire.write = self._written

    def attach(self, slave):
        self.wire.attach(Slave(slave, self._replied))

    def _written(self, data, now_us):
        if self.is_on:
            self.exchanges.append(Exchange(self.wire.settings, bytes(data), max(now_us, self.wire.sent_us())))
        self._write(data, now_us)

    def _replied(self, slave, start_us, reply):
        if self.on_reply:
            self.on_reply(slave, reply)
        if self.is_on:
            self.exchanges[-1].answered(reply, start_us, slave.turnaround_us)


def cost_of(exchanges):
    """(what the wire needs for those that were answered, what they took), in us, of one slot's exchanges.

    From the first bit of the first request to the last of the last reply, with the silence before the next one."""
    needed = {}
    for each in exchanges:
        if each.reply:
            # What is asked twice is needed once.
            needed[each.settings, each.request] = each
    found = list(needed.values())
    last_us = max([each.end_us for each in found])
    return sum([each.needed_us for each in found]), last_us + silence_us(exchanges[0].settings) - exchanges[0].begun_us
