"""What the schema cannot see: that the names in a configuration fit together and to the profiles.

Used by the firmware at its start, and on a PC before a configuration is copied to a board.
"""

from firmware import strictjson
from firmware.config import parse
from firmware.errors import ConfigError
from firmware.meters.meter import Meter
from firmware.protocols.record import put_names
from firmware.store.ring import MOST_HEADING_BYTES

_FRAME_BYTES = 11


def load(config_file, secrets_file):
    """Config of two JSON files; the secrets' may be missing. ConfigError names the key, or the file."""
    return check(parse(_json(config_file, None), _json(secrets_file, {})))


def _json(name, default):
    try:
        with open(name) as file:
            text = file.read()
    except OSError:
        if default is None:
            raise ConfigError(name, "cannot be read; is there such a file?")
        return default
    except UnicodeError:
        raise ConfigError(name, "is not UTF-8 text")
    try:
        return strictjson.loads(text)
    except ValueError as error:
        raise ConfigError(name, "is not JSON: " + error.args[0])


def check(config):
    """Return the config if its parts fit together, else ConfigError."""
    lines = {}
    ports = set()
    for i, line in enumerate(config.lines):
        lines[line.name] = line
        for key in ("uart", "tx", "rx", "de"):
            port = ("uart" if key == "uart" else "pin", getattr(line, key))
            if port in ports:
                raise ConfigError("lines[%d].%s" % (i, key), "must be a %s used once; %d is taken" % port)
            if port[1] >= 0:
                ports.add(port)
    n_bytes = 0
    places = set()
    for i, section in enumerate(config.meters):
        key = "meters[%d]" % i
        if section.line not in lines:
            raise ConfigError(key + ".line", "must be the name of a line: " + (", ".join(sorted(lines)) or "there is none"))
        if (section.line, section.unit) in places:
            raise ConfigError(key + ".unit", "must be a unit used once on a line; %d is taken" % section.unit)
        places.add((section.line, section.unit))
        n_bytes += len(put_names(i, Meter(section, None, key=key).names())) + 20 + _FRAME_BYTES
    if n_bytes > MOST_HEADING_BYTES:
        raise ConfigError(
            "meters", "must be fewer, or with fewer points: their names take %d bytes of %d" % (n_bytes, MOST_HEADING_BYTES)
        )
    if config.uplinks and config.network.kind == "none":
        raise ConfigError("network.kind", "must be wifi, since uplinks are configured")
    if config.network.kind == "wifi" and not config.network.ssid:
        raise ConfigError("network.ssid", "must be the network's name, since network.kind is wifi")
    return config
