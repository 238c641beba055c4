"""The command raw: sends bytes as they are typed, and says what comes back. Loaded when typed.

What only reads is sent; anything else only on site, confirmed, and with an event. A wrong request is not sent.
"""

from micropython import const

from firmware.bus.watch import Watch
from firmware.console.onsite import hex_text, wire_lines
from firmware.console.words import line_of, settings_at
from firmware.errors import CommandError
from firmware.protocols import hearing
from firmware.protocols.typed import Typed
from firmware.texts import json_text, settings_text

_USAGE = "write: raw LINE [9600 8N1] HEX [fix] [confirmed], such as raw A 01 04 00 34 00 02 30 05"
# How long an answer is waited for, and how long the line is listened to behind it: there may be another.
_WAIT_MS = const(1000)
_QUIET_MS = const(200)
_MODBUS_CODES = "no such function,no such register,no such value,fault,accepted,busy"


async def raw(app, words, say):
    if len(words) < 2:
        raise CommandError(_USAGE)
    line = line_of(app, words[0])
    settings = settings_at(words, 1)
    end = len(words)
    while words[end - 1] in ("fix", "confirmed"):
        end -= 1
    request, shown = _request_of(app, line, words[3 if settings else 1 : end], words[end:])
    settings = settings or _settings_of(app, line)
    heard, watch = await _send(line, settings, request)
    for text in wire_lines(app, watch, settings, lambda data: shown if bytes(data) == request else hex_text(data)):
        await say(text)
    for text in heard_lines(heard):
        await say(text)


def _request_of(app, line, words, options):
    """(the bytes to be sent, how they are shown) of the words in hex. CommandError if they must not be sent."""
    text = "".join(words)
    if not text or len(text) % 2 or any(c not in "0123456789abcdefABCDEF" for c in text):
        raise CommandError("no bytes in hex: %s; %s" % (" ".join(words), _USAGE))
    request = bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])
    try:
        typed = Typed(request)
    except ValueError as error:
        raise CommandError("no request: %s" % error.args[0])
    if not typed.is_right and "fix" not in options:
        what = "CRC" if typed.kind == hearing.MODBUS else "checksum and end"
        raise CommandError("its %s would be %s: write that behind it, or the word fix" % (what, hex_text(typed.right)))
    shown = typed.hidden_text()
    if not typed.is_read:
        what = "function %02X of %s may change a meter" % (typed.function, typed.kind)
        if "confirmed" not in options:
            raise CommandError("%s: to send it all the same, write confirmed as the last word" % what)
        app.tell('"event":"raw_sent","by":"console","line":%s,"hex":%s' % (json_text(line.name), json_text(shown)))
    return typed.body + typed.right, shown


def _settings_of(app, line):
    """Those of the first meter of a line."""
    for meter in app.meters:
        if meter.line is line:
            return meter.settings
    raise CommandError("line %s has no meter to take settings from; %s" % (line.name, _USAGE))


async def _send(line, settings, request):
    """(what was heard, what went over the line). CommandError if the port cannot do the settings."""
    async with line.turn:
        line.watch = watch = Watch()
        try:
            line.set(settings)
            return await line.ask(settings, request, _WAIT_MS, _QUIET_MS), watch
        except (ValueError, OSError) as error:
            raise CommandError("this port cannot do %s: %s" % (settings_text(settings), error))
        finally:
            line.watch = None


# -- what was heard -----------------------------------------------------------------------------------------------------


def heard_lines(heard):
    """What the bytes are, one text line for each frame, and one for the rest."""
    frames = hearing.frames(heard)
    for first, end, kind in frames:
        yield _frame_text(heard[first:end], kind)
    n = hearing.rest_of(heard, frames)
    if n:
        yield "%d bytes are no frame with a right checksum: wrong settings, noise, or several meters at once?" % n
    if not heard:
        yield "heard nothing within %d ms. Powered? A and B swapped? Right address and settings?" % _WAIT_MS


def _frame_text(frame, kind):
    """'CRC right: unit 1, function 04, 4 bytes' and the like."""
    place = "unit %d" % frame[0] if kind == hearing.MODBUS else "%s number %s" % (kind, hearing.whose(frame, kind))
    head = "%s right: %s" % ("CRC" if kind == hearing.MODBUS else "checksum", place)
    data = hearing.data_of(frame, kind)
    if not hearing.is_reply(frame, kind):
        return head + ": this is a request, no answer: an echo, or another master"
    if hearing.is_refusal(frame, kind):
        return "%s refuses: code %s" % (head, _code_text(data, kind))
    n = len(data) - 1 if kind == hearing.MODBUS and 1 <= frame[1] <= 4 else len(data)
    function = hearing.function_of(frame, kind)
    return "%s, function %02X, %d bytes of data%s" % (head, function, n, _data_text(data, kind))


def _data_text(data, kind):
    # DL/T 645 sends everything 33H too high: what it means is worth showing.
    return ": " + hex_text(data) + " (less 33)" if kind == hearing.DLT645 and data else ""


def _code_text(data, kind):
    code = hex_text(data)
    if kind != hearing.MODBUS:
        return code
    words = _MODBUS_CODES.split(",")
    return code + (" (%s)" % words[data[0] - 1] if 1 <= data[0] <= len(words) else "")
