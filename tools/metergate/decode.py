"""`metergate decode`: recorded bytes of a line, frame by frame, as JSON."""

import json
import sys
from pathlib import Path

from firmware import plan
from firmware.errors import ConfigError
from firmware.meters import profiles
from firmware.meters.equip import PROTOCOLS
from metergate import decodecjt, decodedlt, decodemodbus
from metergate.decoded import print_lines

# What people put between the bytes.
_BETWEEN = str.maketrans(",;:\ufeff", "    ")
_HEX = "0123456789abcdefABCDEF"


def main(arguments):
    """Print a JSON object for each frame; the exit status: 0 if all are right, 1 if one is not, or none was found."""
    try:
        found = _found(arguments)
    except ConfigError as error:
        found = [_no(f"{error.key} {error.allowed}")]
    print_lines(json.dumps(frame, separators=(",", ":")) for frame in found)
    return 0 if all(frame["ok"] for frame in found) else 1


def _found(arguments):
    profile = profile_of(arguments.profile, arguments.profiles, arguments.protocol) if arguments.profile else None
    first = _register(arguments.first) if arguments.first is not None else None
    return decode(arguments.protocol, bytes_of(arguments.hex), profile, first)


def decode(protocol, data, profile=None, first=None):
    """What is said of each frame in data, dicts in the order of the frames; if there is none, one that says why."""
    if not data:
        return [_no("there are no bytes; give them as hex, or - to read them from standard input")]
    found = _frames(protocol, data, profile, first)
    if found:
        return found
    hint = ""
    for other in PROTOCOLS:
        if _frames(other, data, None, None):
            hint = f"; but there is a frame of {other}: decode it as that"
            break
    return [_no("no frame: " + _why_none(protocol, data) + hint)]


def _frames(protocol, data, profile, first):
    if protocol == "modbus":
        return decodemodbus.decode(data, profile, first)
    if protocol == "cjt188":
        return decodecjt.decode(data, profile)
    return decodedlt.decode(protocol, data, profile)


def _why_none(protocol, data):
    modules = {"modbus": decodemodbus, "cjt188": decodecjt}
    return modules.get(protocol, decodedlt).why_none(data)


def _no(error):
    return {"ok": False, "error": error}


# -- what was typed ---------------------------------------------------------------------------------------------------


def bytes_of(texts):
    """The bytes of texts of hex pairs, with or without marks between them; `-` is standard input. ConfigError if not hex."""
    found = bytearray()
    for n, text in enumerate(texts, 1):
        place = f"argument {n}"
        if text == "-":
            text, place = sys.stdin.buffer.read().decode("latin-1"), "standard input"
        for word in text.translate(_BETWEEN).split():
            found += _word(place, word)
    return bytes(found)


def _word(place, word):
    digits = word[2:] if word[:2] in ("0x", "0X") else word
    for char in digits:
        if char not in _HEX:
            raise ConfigError(place, f"is not hex: {char!a} in {word[:20]!a}; give bytes as pairs of 0..9 A..F")
    if len(digits) % 2 or not digits:
        raise ConfigError(place, f"is not hex: {word[:20]!a} has an odd number of digits; give bytes as pairs of 0..9 A..F")
    return bytes.fromhex(digits)


def _register(text):
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if not 1 <= len(digits) <= 4 or any(char not in _HEX for char in digits):
        raise ConfigError("--first", "must be a register as hex digits, 0000..FFFF")
    return int(digits, 16)


def profile_of(name, file, protocol):
    """The Profile of that name, for that protocol. ConfigError if there is none."""
    found = all_profiles(file)
    if name not in found:
        raise ConfigError("--profile", "must be one of: " + ", ".join(sorted(found)))
    if found[name].protocol != protocol:
        raise ConfigError("--profile", f"must be one for {protocol}; {name} is for {found[name].protocol}")
    return found[name]


def all_profiles(file=None):
    """{name: Profile} of the firmware and, if there is one, of a file with one's own. ConfigError names what is wrong there."""
    found = {name: profiles.profile_of(name) for name in profiles.names()}
    if file is not None:
        if not Path(file).is_file():
            raise ConfigError(str(file), "cannot be read; is there such a file?")
        found |= plan.own_profiles(str(file))
    return found
