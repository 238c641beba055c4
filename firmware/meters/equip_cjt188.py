"""Requests for points of CJ/T 188 meters: the start's part of what meters/equip.py does for Modbus itself."""

from firmware.meters.meter import Block
from firmware.protocols import cjt188


def blocks_of(section, profile, rows, kept):
    """One Block: the reply has all there is."""
    members = tuple((i, name, unit, decimals, klass) for i, (_, name, _, unit, decimals, klass) in enumerate(rows))
    request = bytearray(cjt188.REQUEST_BYTES)
    cjt188.put_read(request, section.number, cjt188.NOW)
    return [Block(bytes(request), kept(members))]
