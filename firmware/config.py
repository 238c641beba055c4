"""The configuration: one schema table, and parse(dict) -> Config or an error that names the key.

Form only: that a line, profile, point or file named here exists is checked in plan.py. Fractions are strings,
since JSON's numbers become 32-bit floats on a board: a float anywhere is an error.
"""

import binascii
import hashlib

from firmware.errors import ConfigError
from firmware.forms import SECRET, checked, says
from firmware.kept import kept
from firmware.texts import json_text, settings_text

REQUIRED = object()

# key, kind, allowed, default, help. [] is a list of sections; allowed: see forms.py.
SCHEMA = (
    ("gateway.id", "name", 32, REQUIRED, "Name of this gateway in every topic and message"),
    ("gateway.zone", "zone", 48, REQUIRED, "POSIX TZ string: where local midnight falls (CST-8)"),
    ("gateway.name", "text", 64, "", "What people call the place"),
    ("network.kind", "choice", ("wifi", "none"), "none", "How the data centres are reached; none: store only"),
    ("network.ssid", "text", 32, "", "Name of the Wi-Fi network"),
    ("network.password", SECRET, 63, "", "Its password"),
    ("network.ntp", "hosts", 4, (), "Time servers, asked in this order"),
    ("network.dns", "addresses", 2, (), "Name servers; empty: those the network hands out"),
    ("lines[].name", "name", 16, REQUIRED, "Name of an RS-485 pair"),
    ("lines[].uart", "int", (1, 2), REQUIRED, "Number of the UART; 0 is the console"),
    ("lines[].tx", "int", (0, 48), REQUIRED, "GPIO of the transmit pin"),
    ("lines[].rx", "int", (0, 48), REQUIRED, "GPIO of the receive pin"),
    ("lines[].de", "int", (-1, 48), -1, "GPIO of driver-enable; -1: the transceiver switches by itself"),
    ("lines[].bus", "choice", ("rs485", "mbus"), "rs485", "mbus: an M-Bus converter, which needs no driver-enable"),
    ("lines[].wake_bytes", "int", (0, 200), 0, "Bytes FE before each request, to wake up meters; not with Modbus"),
    ("lines[].pause_ms", "int", (0, 1000), 0, "Silence before another meter is asked; raised where meters need it"),
    ("meters[].name", "name", 32, REQUIRED, "Name of the meter in messages"),
    ("meters[].line", "name", 16, REQUIRED, "The line it is on"),
    ("meters[].protocol", "choice", ("modbus", "dlt645", "dlt645-1997", "cjt188"), REQUIRED, "What it speaks"),
    ("meters[].unit", "int", (0, 247), 0, "Its Modbus address, 1..247; 0: it speaks another protocol"),
    ("meters[].number", "number", None, "", "Its DL/T 645 or CJ/T 188 number; A..A: whichever it is, for the only such meter"),
    ("meters[].profile", "name", 32, REQUIRED, "Its table of points; `metergate profiles` lists them"),
    ("meters[].settings", "settings", None, "", "Baud rate, data bits, parity, stop bits (9600 8N1); empty: the profile's"),
    ("meters[].every_s", "every", (1, 86400), 900, "Seconds between readings, a divisor of 86400"),
    ("meters[].points", "names", 32, (), "Points to read; empty: the profile's default set"),
    ("meters[].function", "choice", ("profile", "3", "4"), "profile", "Modbus function its points are read by"),
    ("meters[].reads_per_day_max", "int", (0, 86400), 0, "Most slots a day of a meter on a battery; 0: the profile's"),
    ("meters[].timeout_ms", "int", (20, 5000), 1000, "Longest wait for a reply, from the request's last byte"),
    ("meters[].timeout_least_ms", "int", (20, 5000), 100, "Shortest wait: between the two, the meter's own time is learned"),
    ("meters[].retries", "int", (0, 5), 2, "How often an unanswered or garbled request is repeated"),
    ("meters[].set_clock", "choice", ("never", "broadcast", "write"), "never", "How a DL/T 645 meter's clock is set"),
    ("meters[].password", SECRET, 16, "", "Its password, for `write`"),
    ("uplinks[].name", "name", 16, REQUIRED, "Name of the data centre"),
    ("uplinks[].host", "host", 253, REQUIRED, "Its host name, as in its certificate"),
    ("uplinks[].port", "int", (1, 65535), 8883, "Its port; always TLS"),
    ("uplinks[].ca", "file", 64, REQUIRED, "File of the CA certificate its server certificate is checked against (DER or PEM)"),
    ("uplinks[].user", "text", 64, "", "User name"),
    ("uplinks[].password", SECRET, 128, "", "Password"),
    ("uplinks[].prefix", "topic", 64, "metergate", "First part of every topic"),
    ("uplinks[].keepalive_s", "int", (10, 3600), 60, "Longest silence before the session is checked"),
    ("uplinks[].message_bytes", "int", (512, 8192), 2048, "Largest message of readings"),
)

# A bound on every list: section, least, most.
LISTS = (("lines", 0, 2), ("meters", 0, 32), ("uplinks", 0, 4))


class Section:
    """One section of the configuration; its keys are attributes.

    Defaults are attributes of the class, since a key has the same one wherever it is: a section holds only what it says."""


for _row in SCHEMA:
    if _row[3] is not REQUIRED:
        setattr(Section, _row[0].split(".")[1], _row[3])


class Config:
    """gateway and network: Section; lines, meters, uplinks: lists of Section.

    hash: 8 hex digits of text_of(config). profiles: profiles of one's own by name, which plan.load fills in."""


def parse(raw, secrets=None):
    """Config from two dicts as json.loads gives them; ConfigError(key, allowed) at the first fault.

    Nothing is guessed: an unknown key, a wrong type, a value out of bounds, a name used twice and a secret in
    the wrong file are faults. A missing section takes its defaults."""
    secrets = {} if secrets is None else secrets
    _check_keys("", raw, ("gateway", "network") + tuple(row[0] for row in LISTS))
    _check_keys("secrets.", secrets, ("network", "meters", "uplinks"))
    config = Config()
    config.profiles = {}
    for name in ("gateway", "network"):
        setattr(config, name, _section(name, raw.get(name, {}), secrets.get(name, {})))
    for name, least, most in LISTS:
        rows = raw.get(name, [])
        if not isinstance(rows, list) or not least <= len(rows) <= most:
            raise ConfigError(name, "must be a list of %d to %d" % (least, most))
        setattr(config, name, _sections(name, rows, secrets.get(name, {})))
    digest = hashlib.sha256()
    for part in parts_of(config):
        digest.update(part.encode())
    config.hash = str(binascii.hexlify(digest.digest()[:4]), "ascii")
    return config


def _sections(name, rows, secrets):
    """The list of sections called name; secrets are given by the section's own name."""
    if not isinstance(secrets, dict):
        raise ConfigError("secrets." + name, "must be an object: {..}")
    sections = []
    seen = set()
    for i, row in enumerate(rows):
        key = "%s[%d]" % (name, i)
        own = row.get("name") if isinstance(row, dict) else None
        section = _section(key, row, secrets.get(own, {}) if isinstance(own, str) else {})
        if section.name in seen:
            raise ConfigError(key + ".name", "must be a name used once; %s stands twice" % section.name)
        seen.add(section.name)
        sections.append(section)
    _check_keys("secrets.%s." % name, secrets, seen)
    return sections


def _section(key, raw, secrets):
    """One section from its dict. key is `gateway`, or `meters[2]`."""
    rows = _rows_of(key.split("[")[0])
    _check_keys(key + ".", raw, [row[0] for row in rows if row[1] is not SECRET])
    _check_keys("secrets.%s." % key, secrets, [row[0] for row in rows if row[1] is SECRET])
    section = Section()
    for name, form, allowed, default, _ in rows:
        source = secrets if form is SECRET else raw
        if name not in source:
            if default is REQUIRED:
                raise ConfigError("%s.%s" % (key, name), "is missing; must be " + says(form, allowed))
        else:
            setattr(section, name, kept(checked("%s.%s" % (key, name), form, allowed, source[name])))
    return section


def _rows_of(section):
    """SCHEMA's rows of one section, with the key's last part only."""
    rows = []
    for key, kind, allowed, default, text in SCHEMA:
        first, last = key.split(".")
        if first.split("[")[0] == section:
            rows.append((last, kind, allowed, default, text))
    return rows


def _check_keys(prefix, raw, known):
    if not isinstance(raw, dict):
        raise ConfigError(prefix[:-1] or "the file", "must be an object: {..}")
    for key in raw:
        if key not in known:
            hint = "is a secret; it belongs in secrets.json" if key == "password" and not prefix.startswith("secrets") else None
            raise ConfigError(prefix + key, hint or "is no key; known here: " + ", ".join(sorted(known)))


def text_of(config):
    """The configuration as one JSON object: defaults filled in, secrets left out, in SCHEMA's order.

    A dict's own order is lost on a board."""
    return "".join(parts_of(config))


def parts_of(config):
    """The pieces of text_of, one after another: 32 meters take 10 KB, for which a board has no place in one piece."""
    yield '{"gateway":%s,"network":%s' % (_section_text("gateway", config.gateway), _section_text("network", config.network))
    for name, _, _ in LISTS:
        comma = ',"%s":[' % name
        for section in getattr(config, name):
            yield comma + _section_text(name, section)
            comma = ","
        yield "]" if comma == "," else comma + "]"
    yield "}"


def _section_text(name, section):
    parts = []
    for key, kind, _, _, _ in _rows_of(name):
        value = getattr(section, key)
        if kind is SECRET:
            continue
        if kind == "zone":
            value = value.text
        elif kind == "settings":
            value = settings_text(value) if value else ""
        if isinstance(value, tuple):
            shown = "[%s]" % ", ".join(json_text(v) for v in value)
        else:
            shown = str(value) if isinstance(value, int) else json_text(value)
        parts.append('"%s":%s' % (key, shown))
    return "{%s}" % ",".join(parts)
