"""Every error the firmware raises: who says so, and what may the caller do?

Errors carry values; whoever shows them to a person makes the words (console/shell.py, console/commands.py).
"""


class MetergateError(Exception):
    """Root of the tree: a fault the firmware knows by name."""


# -- A meter or its line: the caller may retry NoReply and BadFrame; never MeterRefused ---------------------


class MeterError(MetergateError):
    """An exchange brought no values. cause is the word that stands in the miss record."""

    cause = "error"


class NoReply(MeterError):
    """Nothing was heard before the deadline. args: (waited_ms,)"""

    cause = "no reply"


class BadFrame(MeterError):
    """Bytes were heard, but no frame in them answers the request. args: (heard_bytes, fault)

    fault: "checksum", a frame of this meter with a wrong one, or a part of it; "other", a good frame of another meter;
    "late", a good one of this meter that answers something else; "noise", none of these; "babble", the line did not fall
    silent, and nothing was sent."""

    cause = "bad frame"


class BadData(MeterError):
    """A frame answers the request, but what it holds is no value. args: (place, heard_bytes); an answer: never retried."""

    cause = "bad data"


class MeterRefused(MeterError):
    """The meter answered that it will not. args: (code,). An answer: it is never retried."""

    cause = "refused"

    @property
    def code(self):
        return self.args[0]


# -- Configuration: nothing may be changed; the old one stays in force --------------------------------------


class ConfigError(MetergateError):
    """args: (key, allowed): the full key, `meters[2].unit`, and what must be there: `must be ..`, `is ..`."""

    @property
    def key(self):
        return self.args[0]

    @property
    def allowed(self):
        return self.args[1]


# -- Flash: measuring goes on where it can ------------------------------------------------------------------


class StoreError(MetergateError):
    """The flash cannot be used as it is. args: (why,), or (why, what to do on the unit)"""


class RecordError(MetergateError):
    """Bytes that passed their checksum are no record we know. args: (why,)"""


# -- Network: the caller backs off and tries again ----------------------------------------------------------


class LinkDown(MetergateError):
    """A step of a session failed. args: (stage, cause)

    stage is one of network, name, tcp, tls, connect, publish, puback, ping, receive; both are counted."""

    @property
    def stage(self):
        return self.args[0]

    @property
    def cause(self):
        return self.args[1]


# -- Console: the person typing may type something else -----------------------------------------------------


class CommandError(MetergateError):
    """args: (what_to_do,): one line that says what is wrong and what to do next."""
