"""Requests for points of DL/T 645 meters: the start's part of what meters/equip.py does for Modbus itself."""

from firmware.meters.meter import Block
from firmware.protocols import dlt645, dlt645data


def blocks_of(section, profile, rows, kept):
    """One Block for two and more items that the meter gives together, and one for each of the others."""
    left = list(range(len(rows)))
    blocks = []
    for di, items in profile.blocks:
        chosen = [i for i in left if rows[i][1] in items]
        if len(chosen) < 2:
            continue
        offsets = {}
        at = 0
        for item in items:
            offsets[item] = at
            at += _item_bytes(profile, item)
        is_even = at == len(items) * _item_bytes(profile, items[0])
        whole = 0 if is_even and _has_tariffs(profile.protocol, di) else at
        members = [(i, offsets[rows[i][1]], dlt645data.form_of(rows[i][2]), rows[i][1], whole) for i in chosen]
        blocks.append(_block(section, profile, di, members, kept))
        left = [i for i in left if i not in chosen]
    return blocks + [_item(section, profile, rows, i, kept) for i in left]


def _has_tariffs(protocol, di):
    """True of energies and demands, total and tariffs: there are meters with fewer of them, and with more."""
    return di >> 12 in (0x9, 0xA) if protocol == "dlt645-1997" else di >> 25 == 0


def _item_bytes(profile, item):
    """How many bytes of a block an item takes."""
    for _, di, text, _, _, _ in profile.points:
        if di == item:
            form = dlt645data.form_of(text)
            return form[1] + (form[3] or 0)
    raise KeyError(item)


def _item(section, profile, rows, i, kept):
    di = rows[i][1]
    return _block(section, profile, di, [(i, 0, dlt645data.form_of(rows[i][2]), di, 0)], kept)


def _block(section, profile, di, members, kept):
    request = bytearray(dlt645.REQUEST_BYTES)
    old = profile.protocol == "dlt645-1997"
    n = (dlt645.put_read_1997 if old else dlt645.put_read)(request, section.number, di)
    return Block(bytes(request[:n]), kept(tuple(members)))
