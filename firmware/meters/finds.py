"""What a scan is to look for, and what it has found. Loaded only while a person scans."""

from firmware.texts import json_text, parse_settings, settings_text

PROTOCOLS = ("dlt645", "dlt645-1997", "cjt188", "modbus")


class Wanted:
    """What a person wants to be looked for: protocols; settings: a list, or None: the likely ones; first and last unit.

    n_wake: bytes FE that a request of 68H needs before it on this line."""

    n_wake = 0

    def __init__(self, protocols=PROTOCOLS, settings=None, first=1, last=247):
        self.protocols = protocols
        self.settings = settings
        self.first = first
        self.last = last

    def settings_of(self, likely):
        """The settings to be tried: the likely ones as a text, one behind another by commas, unless they were said."""
        return self.settings or [parse_settings(text) for text in likely.split(",")]


class Find:
    """A meter that was found. unit or number; profile "" if none fits; function: "3" or "4" if not the profile's own.

    alike: profiles with the same registers; note: what speaks for the profile, or against it; is_anonymous: its replies do
    not say its number."""

    unit = 0
    number = ""
    profile = ""
    function = ""
    alike = ()
    note = ""
    is_anonymous = False

    def __init__(self, protocol, settings):
        self.protocol = protocol
        self.settings = settings

    @property
    def place(self):
        return "number " + self.number if self.number else "unit %d" % self.unit

    def matches(self, section):
        """True if a meter's section of the configuration is about it: its settings may differ."""
        if section.protocol[:6] != self.protocol[:6]:
            return False
        if self.protocol == "modbus":
            return section.unit == self.unit
        return section.number == self.number or section.number[:1] == "A"

    def config_text(self, name, line):
        """A JSON object for the configuration's list of meters."""
        parts = [("name", name), ("line", line), ("protocol", self.protocol)]
        parts.append(("number", self.number) if self.number else ("unit", self.unit))
        parts += [("profile", self.profile or "?"), ("settings", settings_text(self.settings))]
        if self.function:
            parts.append(("function", self.function))
        shown = ['"%s":%s' % (key, value if isinstance(value, int) else json_text(value)) for key, value in parts]
        return "{%s}" % ",".join(shown)
