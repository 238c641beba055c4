"""JSON (RFC 8259) without surprises: says whether a text is JSON, and in which line it is not.

MicroPython's json takes a text that is cut off, lacks commas or names a key twice for a whole one: a configuration
file would lose meters without a word.
"""

import json

from micropython import const

_MOST_DEPTH = const(8)
_SPACE = " \t\r\n"
_LITERALS = ("true", "false", "null")
_ESCAPES = '"\\/bfnrt'
_HEX = "0123456789abcdefABCDEF"


def loads(text):
    """What json.loads gives; ValueError("line N: what is wrong") if text is not strictly JSON, or a key stands twice."""
    scan = _Scan(text)
    scan.value(0)
    scan.skip()
    if scan.at < len(text):
        scan.fail("text behind the end")
    return json.loads(text)


class _Scan:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def fail(self, why):
        raise ValueError("line %d: %s" % (self.text[: self.at].count("\n") + 1, why))

    def skip(self):
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def next(self):
        """The next character that is no space, '' at the end; stays before it."""
        self.skip()
        return self.text[self.at : self.at + 1]

    def need(self, char):
        if self.next() != char:
            self.fail("%s is missing" % char)
        self.at += 1

    def value(self, depth):
        char = self.next()
        if depth > _MOST_DEPTH:
            self.fail("nested too deep")
        if char == "{":
            self.members("}", depth)
        elif char == "[":
            self.members("]", depth)
        elif char == '"':
            self.string()
        elif char and char in "-0123456789":
            self.number()
        else:
            self.literal()

    def members(self, close, depth):
        """The inside of an object or a list, up to its closing bracket."""
        keys = set()
        self.at += 1
        if self.next() == close:
            self.at += 1
            return
        while True:
            if close == "}":
                if self.next() != '"':
                    self.fail("a key in quotes is missing")
                key = self.string()
                if key in keys:
                    self.fail("key %s stands twice" % key)
                keys.add(key)
                self.need(":")
            self.value(depth + 1)
            char = self.next()
            if char != close and char != ",":
                self.fail(", or %s is missing" % close)
            self.at += 1
            if char == close:
                return

    def string(self):
        """Pass over a string; its text as it stands, quotes included."""
        first = self.at
        self.at += 1
        while True:
            char = self.text[self.at : self.at + 1]
            if not char or char < " ":
                self.fail('" is missing')
            self.at += 1
            if char == '"':
                return self.text[first : self.at]
            if char == "\\":
                self.escape()

    def escape(self):
        char = self.text[self.at : self.at + 1]
        digits = self.text[self.at + 1 : self.at + 5] if char == "u" else "0000"
        if not char or char not in _ESCAPES + "u" or len(digits) < 4 or any(d not in _HEX for d in digits):
            self.fail("no such escape")
        self.at += 5 if char == "u" else 1

    def digits(self):
        first = self.at
        while self.text[self.at : self.at + 1].isdigit():
            self.at += 1
        if self.at == first:
            self.fail("a digit is missing")

    def number(self):
        if self.text[self.at] == "-":
            self.at += 1
        if self.text[self.at : self.at + 1] == "0":
            self.at += 1
        else:
            self.digits()
        if self.text[self.at : self.at + 1] == ".":
            self.at += 1
            self.digits()
        if self.text[self.at : self.at + 1] in ("e", "E"):
            self.at += 1
            if self.text[self.at : self.at + 1] in ("+", "-"):
                self.at += 1
            self.digits()

    def literal(self):
        for literal in _LITERALS:
            if self.text[self.at : self.at + len(literal)] == literal:
                self.at += len(literal)
                return
        self.fail("a value is missing")
