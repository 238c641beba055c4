"""The message `points`: what each point of each meter is."""

import binascii
import hashlib

from firmware.protocols import payload
from firmware.protocols.payload import decimal_text, obj, text


def described(app, state):
    """Its texts, one after another: some 150 bytes for each point, and 200 for each meter.

    state: (steps, serial number) of each meter."""
    config = app.config
    yield '{%s,"zone":%s,"cfg":"%s","meters":[' % (
        payload.head(config.gateway.id, app.ring.log),
        text(config.gateway.zone.text),
        config.hash,
    )
    comma = ""
    for meter, (its_steps, serial) in zip(app.meters, state):
        yield comma + _meter_head(meter, serial)
        yield '"points":['
        comma = ""
        for row, step in zip(meter.rows, its_steps):
            yield comma + _point(meter.section.protocol, row, step)
            comma = ","
        yield "]}"
    yield "]}"


def profile_hash(rows):
    """8 hex digits of a profile's rows: tells two editions of a table apart. The hash of repr(rows), made row by row."""
    digest = hashlib.sha256(b"(")
    before = ""
    for row in rows:
        digest.update((before + repr(row)).encode())
        before = ", "
    digest.update(b",)" if len(rows) == 1 else b")")
    return str(binascii.hexlify(digest.digest()[:4]), "ascii")


def _meter_head(meter, serial):
    """A meter's members before its points, and the brace before them."""
    section = meter.section
    members = obj(
        ("m", text(meter.name)),
        ("line", text(section.line)),
        ("protocol", text(section.protocol)),
        ("number", text(section.number)) if section.number else ("unit", str(section.unit)),
        ("serial_number", text(serial or None)),
        ("profile", text(section.profile)),
        ("profile_hash", text(profile_hash(meter.rows))),
        ("model", text(meter.model)),
        ("every_s", str(section.every_s)),
    )
    return members[:-1] + ","


def register_text(protocol, register):
    """How a row's register is said: a Modbus register, a data identifier; CJ/T 188 has a field's name there."""
    if protocol == "cjt188":
        return register
    return ("%08X" if protocol == "dlt645" else "%04X") % register


def _point(protocol, row, step):
    name, register, form, unit, decimals, klass = row
    return obj(
        ("name", text(name)),
        ("unit", text(unit)),
        ("decimals", str(decimals)),
        ("resolution", text(decimal_text(step, decimals))),
        ("register", text(register_text(protocol, register))),
        ("form", text(form)),
        ("class", text(klass)),
    )
