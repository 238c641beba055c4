"""POSIX TZ strings, such as CET-1CEST,M3.5.0,M10.5.0/3: their parts. clock.Zone makes a zone of them."""

from firmware.errors import ConfigError

# Not isalpha(): POSIX means these, on every port.
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Parts:
    """Reads a TZ string from left to right (POSIX.1-2017, 8.3). ConfigError("zone", ..) where it is none."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def fail(self):
        raise ConfigError("zone", "must be a POSIX TZ string such as CST-8 or CET-1CEST,M3.5.0,M10.5.0/3")

    def more(self, char=None):
        """True if there is more text, or if the next character is char."""
        return self.at < len(self.text) and (char is None or self.text[self.at] == char)

    def take(self, char):
        if not self.more(char):
            return False
        self.at += 1
        return True

    def name(self):
        """Three or more letters, or <+08> in angle brackets."""
        first = self.at
        if self.take("<"):
            while self.more() and (self.text[self.at] in _LETTERS or self.text[self.at] in "+-0123456789"):
                self.at += 1
            if self.at - first < 4 or not self.take(">"):
                self.fail()
            return
        while self.more() and self.text[self.at] in _LETTERS:
            self.at += 1
        if self.at - first < 3:
            self.fail()

    def number(self, low, high):
        first = self.at
        while self.more() and self.text[self.at] in "0123456789" and self.at - first < 4:
            self.at += 1
        if self.at == first or not low <= int(self.text[first : self.at]) <= high:
            self.fail()
        return int(self.text[first : self.at])

    def offset(self, hours=24):
        """[+-]hh[:mm[:ss]] in seconds."""
        sign = -1 if self.take("-") else 1
        if sign == 1:
            self.take("+")
        seconds = self.number(0, hours) * 3600
        if self.take(":"):
            seconds += self.number(0, 59) * 60
            if self.take(":"):
                seconds += self.number(0, 59)
        return sign * seconds

    def rule(self):
        """,date[/time] as (form, month, week, weekday or day of year, seconds after midnight)."""
        if not self.take(","):
            self.fail()
        month = week = 0
        form = "M" if self.take("M") else "J" if self.take("J") else "0"
        if form == "M":
            month = self.number(1, 12)
            self.take(".") or self.fail()
            week = self.number(1, 5)
            self.take(".") or self.fail()
            day = self.number(0, 6)
        else:
            day = self.number(1, 365) if form == "J" else self.number(0, 365)
        # RFC 8536, 3.3.1 extends the time to -167..167 hours.
        return form, month, week, day, self.offset(167) if self.take("/") else 7200
