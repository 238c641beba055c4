"""How CJ/T 188 meters are asked: fields of a reply to values."""

from micropython import const

from firmware.errors import BadData
from firmware.meters.meter import Block
from firmware.protocols import cjt188, cjt188data
from firmware.protocols.record import REGISTER

# More than there are on a line: whoever asks for any number may hear of many.
_MOST_METERS = const(32)


class Asking:
    """Shared by the CJ/T 188 meters of one line."""

    # 8 bits of checksum: one of 256 garbled frames passes it.
    is_weak = True

    def __init__(self):
        self.reply = cjt188.Reply()
        # What the newest reply said of its meter's clock, or None.
        self.clock = None
        # Number of a heat meter: whether it puts its unit bytes before the values.
        self._before = {}

    def put_values(self, block, data, values, steps):
        """Put the values of a block's members, and the steps of their numbers, in their places.

        BadData names the field that is missing, holds no number or is in a unit that does not fit; then none is put."""
        try:
            fields, self.clock, _ = cjt188data.read(self.reply.kind, data, self._units_before(data))
            found = {field.name: field for field in fields}
            scaled = []
            for _, name, unit, decimals, klass in block.members:
                if name not in found:
                    raise ValueError("%s: not in the reply" % name)
                scaled.append(found[name].scaled(unit, decimals, klass == REGISTER))
        except ValueError as error:
            raise BadData("901F: " + error.args[0], bytes(data))
        for member, (value, step) in zip(block.members, scaled):
            values[member[0]], steps[member[0]] = value, step

    def _units_before(self, data):
        """Where this meter's unit bytes stand, by this reply or one before."""
        number = self.reply.number_text()
        found = cjt188data.units_before(self.reply.kind, data)
        if found is not None:
            if len(self._before) > _MOST_METERS:
                self._before.clear()
            self._before[number] = found
        return self._before.get(number)

    def may_mix(self, one, other):
        """False: a reply names its data identifier, so a late one is not taken for another's."""
        return False

    def text_of(self, block, data):
        """The reply's clock or status, as the one member of the block says. BadData if there is none."""
        name = block.members[0][1]
        try:
            _, clock, status = cjt188data.read(self.reply.kind, data, self._units_before(data))
        except ValueError as error:
            raise BadData("901F: " + error.args[0], bytes(data))
        if name == "clock" and clock is None:
            raise BadData("901F: clock: not set", bytes(data))
        return clock if name == "clock" else status

    def other(self, block):
        """The Block whose request has the bytes of the data identifier in the other order: makers differ."""
        request = bytearray(block.request)
        cjt188.swap_di(request)
        return Block(bytes(request), block.members)

    def split(self, block, error):
        return ()

    def following(self, block, n):
        return None
