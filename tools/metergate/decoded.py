"""What `metergate decode` says of a frame: one dict, its keys in the order in which they are printed; and the printing."""

import os
import sys


class NotDecoded(Exception):
    """A frame was found, but what it holds is not valid. args: (the place and what is wrong there,)"""


def said(protocol, meter, control, di, values=(), clock=None, status=None, **more):
    """A frame that is understood. more: further keys; those that are None or False are left out."""
    found = {"ok": True, "protocol": protocol, "meter": meter, "control": f"{control:02X}", "di": di}
    found |= {"values": list(values), "clock": clock, "status": status}
    return found | {key: value for key, value in more.items() if value is not None and value is not False}


def wrong(error, protocol, meter, control, di=None):
    """A frame whose length and checksum are right, but not what it holds."""
    found = {"ok": False, "error": error, "protocol": protocol, "meter": meter}
    return found | {"control": f"{control:02X}", "di": di}


def value_of(name, value, unit, **more):
    """One of a frame's values. value: decimal text or None; the unit `1` of a bare number is left out."""
    return {"name": name, "value": value, "unit": "" if unit == "1" else unit} | more


def hex_of(data):
    """Bytes as they stood on the wire: '0001FF'."""
    return bytes(data).hex().upper()


def print_lines(lines):
    """Print lines until there are no more, or until nobody reads on."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would say so once again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
