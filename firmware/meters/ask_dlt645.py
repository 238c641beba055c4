"""How DL/T 645 meters are asked: replies to values, and the frames that follow a first one."""

from micropython import const

from firmware.errors import BadData, MeterRefused
from firmware.meters.meter import Block
from firmware.protocols import bcd, dlt645, dlt645data

# Error byte, bit 1: no such data; bit 0: other, which some meters say instead.
_NO_SUCH_DATA = const(0x03)


class Asking:
    """Shared by the DL/T 645 meters of one line, of either edition."""

    # 8 bits of checksum: one of 256 garbled frames passes it.
    is_weak = True

    def __init__(self):
        self.reply = dlt645.Reply()

    def put_values(self, block, data, values, steps):
        """Put the values of a block's members in their places. BadData names the item that holds no number; then none is put.

        An item that is filled with FF among others, or that a meter with fewer tariffs does not send, has no value."""
        if not _is_whole(block.members, len(data)):
            raise BadData("%s: %d bytes" % (dlt645.place_of(block.request), len(data)), bytes(data))
        filled = bcd.is_filled(data, 0, len(data))
        found = []
        for index, offset, form, _, _ in block.members:
            if offset + form[1] > len(data):
                continue
            if not filled and len(block.members) > 1 and bcd.is_filled(data, offset, form[1]):
                found.append((index, None))
                continue
            try:
                found.append((index, dlt645data.number_of(data, offset, form)))
            except ValueError as error:
                place = dlt645.place_of(block.request)
                raise BadData("%s: byte %d: %s" % (place, offset, error.args[0]), bytes(data))
        if not found:
            raise BadData("%s: %d bytes" % (dlt645.place_of(block.request), len(data)), bytes(data))
        for index, value in found:
            values[index] = value

    def may_mix(self, one, other):
        """False: a reply names its data identifier, so a late one is not taken for another's."""
        return False

    def text_of(self, block, data):
        """The one member of a block as text."""
        form = block.members[0][2]
        if not dlt645data.fits(form, len(data)):
            raise BadData("%s: %d bytes" % (dlt645.place_of(block.request), len(data)), bytes(data))
        try:
            return dlt645data.text_of(data, 0, form)
        except ValueError as error:
            raise BadData("%s: %s" % (dlt645.place_of(block.request), error.args[0]), bytes(data))

    def other(self, block):
        return None

    def about(self, block, function, row):
        """The Block for a row that says something of the meter, made of any other of its blocks."""
        return _item(block, (0, 0, dlt645data.form_of(row[2]), row[1], 0))

    def split(self, block, error):
        """A Block for each item of a block that the meter does not have, or has otherwise; () if it is an item itself."""
        if len(block.members) == 1:
            return ()
        if isinstance(error, MeterRefused):
            if not error.code & _NO_SUCH_DATA:
                return ()
        elif _is_whole(block.members, len(error.args[1])):
            return ()
        return [_item(block, member) for member in block.members]

    def is_numbered(self, request):
        """True if a request for what follows says which frame, so that it may be repeated: of 1997 it brings the next one."""
        return dlt645.is_numbered(request)

    def following(self, block, n):
        """The request for what follows a reply, its n-th further frame; None if there is none."""
        if not self.reply.more:
            return None
        request = bytearray(dlt645.REQUEST_BYTES)
        n_bytes = dlt645.put_following(request, block.request, n)
        return memoryview(request)[:n_bytes]


def _item(block, member):
    """The Block for one member of another."""
    request = bytearray(block.request)
    index, _, form, di, _ = member
    dlt645.put_di(request, di)
    return Block(bytes(request), ((index, 0, form, di, 0),))


def _is_whole(members, n):
    """True if a reply of n bytes may hold these members, tuples (index, offset, form, data identifier, bytes of all items).

    Bytes of all items: 0: items of one size, as many as the meter has tariffs."""
    _, _, form, _, n_bytes = members[0]
    if len(members) == 1:
        return dlt645data.fits(form, n)
    return n == n_bytes if n_bytes else n % (form[1] + (form[3] or 0)) == 0
