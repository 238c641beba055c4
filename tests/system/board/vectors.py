"""Numbers as the firmware reads them, beside what they must be: vectors.py FILE, by test_numbers_reference.py. Portable.

A line of FILE: modbus FORM DECIMALS HEX VALUE STEP; bcd OFFSET BYTES SIGNED HEX VALUE; dlt645 FORM HEX VALUE;
cjt188 KIND HEX FIELD UNIT DECIMALS EXACT VALUE STEP. VALUE: an integer, none, or error. Prints the lines that differ.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import os
import sys

_FOLDER = __file__.rsplit("/", 1)[0]
if sys.implementation.name == "micropython":
    here = os.getcwd()
    os.chdir(_FOLDER + "/../../..")
    sys.path[:] = [".frozen", os.getcwd(), os.getcwd() + "/lib"]
    os.chdir(here)
else:
    from metergate.onpc import install

    install()

from firmware.protocols import bcd, cjt188data, dlt645data, numbers

_MOST_SHOWN = 10


def _bytes(text):
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))


def _modbus(form, decimals, data):
    form, data = numbers.form_of(form), _bytes(data)
    return numbers.scaled_of(data, 0, form, int(decimals)), numbers.step_of(data, 0, form, int(decimals))


def _bcd(offset, n, signed, data):
    return (bcd.number_of(_bytes(data), int(offset), int(n), signed == "1"),)


def _dlt645(form, data):
    return (dlt645data.number_of(_bytes(data), 0, dlt645data.form_of(form)),)


def _cjt188(kind, data, name, unit, decimals, exact):
    fields, _, _ = cjt188data.read(int(kind), memoryview(_bytes(data)))
    return [field for field in fields if field.name == name][0].scaled(unit, int(decimals), exact == "1")


# Kind of line: how it is read, how many words it has for that.
_KINDS = {"modbus": (_modbus, 3), "bcd": (_bcd, 4), "dlt645": (_dlt645, 2), "cjt188": (_cjt188, 6)}


def _found(kind, words):
    try:
        found = _KINDS[kind][0](*words)
    except ValueError:
        return ["error"]
    return ["none" if value is None else str(value) for value in found]


def main(file):
    counts = dict.fromkeys(_KINDS, 0)
    differ = 0
    with open(file) as lines:
        for line in lines:
            kind, *words = line.split()
            n = _KINDS[kind][1]
            counts[kind] += 1
            found = _found(kind, words[:n])
            if found != words[n:]:
                differ += 1
                if differ <= _MOST_SHOWN:
                    print("differs: %s: %s" % (line.strip(), " ".join(found)))
    print(" ".join("%s=%d" % (kind, counts[kind]) for kind in sorted(counts)), "differ=%d" % differ)


main(sys.argv[1])
