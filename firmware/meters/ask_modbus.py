"""How Modbus meters are asked: registers of a reply to values."""

from micropython import const

from firmware.errors import BadData, MeterRefused
from firmware.meters.meter import Block
from firmware.protocols import modbus, numbers

# Exceptions by which a meter refuses some of the registers.
_ILLEGAL_ADDRESS = const(2)
_ILLEGAL_VALUE = const(3)


class Asking:
    """Shared by the Modbus meters of one line: one speaks at a time."""

    # 16 bits of checksum, which catch what noise does to short frames.
    is_weak = False

    def __init__(self):
        self.reply = modbus.Reply()

    def put_values(self, block, data, values, steps):
        """Put the values of a block's members, and the steps of their numbers, in their places."""
        for index, offset, form, decimals in block.members:
            values[index], steps[index] = numbers.read(data, offset, form, decimals)

    def may_mix(self, one, other):
        """True if the reply to request one, b"" for several, may be taken for that to another: no reply says its registers."""
        return not one or one[1] == other[1] and one[4:6] == other[4:6]

    def text_of(self, block, data):
        """The one member of a block as text."""
        _, offset, form, decimals = block.members[0]
        value = numbers.scaled_of(data, offset, form, decimals)
        if value is None:
            raise BadData(modbus.place_of(block.request), bytes(data))
        return str(value)

    def other(self, block):
        """A Block with another form of the request; None: there is one form."""
        return None

    def about(self, block, function, row):
        """The Block for a row that says something of the meter, made of any other of its blocks."""
        _, register, text, _, decimals, _ = row
        form = numbers.form_of(text)
        request = bytearray(block.request)
        request[1] = function
        modbus.put_range(request, register, form[0])
        return Block(bytes(request), ((0, 0, form, decimals),))

    def split(self, block, error):
        """Blocks that ask for the same without the registers between, which some meters refuse; () if there are none."""
        if not isinstance(error, MeterRefused) or error.code not in (_ILLEGAL_ADDRESS, _ILLEGAL_VALUE):
            return ()
        runs = []
        for member in sorted(block.members, key=lambda member: member[1]):
            end = member[1] + 2 * member[2][0]
            if runs and member[1] <= runs[-1][1]:
                runs[-1][1] = max(end, runs[-1][1])
                runs[-1][2].append(member)
            else:
                runs.append([member[1], end, [member]])
        return () if len(runs) == 1 else [_run(block, *run) for run in runs]

    def following(self, block, n):
        """The request for what follows a reply, or None."""
        return None


def _run(block, begin, end, members):
    """The Block for the bytes begin..end of another's reply."""
    request = bytearray(block.request)
    modbus.put_range(request, modbus.first_of(block.request) + begin // 2, (end - begin) // 2)
    members = tuple((index, offset - begin, form, decimals) for index, offset, form, decimals in members)
    return Block(bytes(request), members)
