"""Values as texts: addresses, settings of a line, JSON strings. What both the configuration and the running need."""


def is_digits(text):
    """True of one or more of 0..9; isdigit() takes other scripts' digits on a PC."""
    return text != "" and all(c in "0123456789" for c in text)


def is_address(host):
    """True of an IPv4 address in dots."""
    parts = host.split(".")
    return len(parts) == 4 and all(is_digits(p) and len(p) <= 3 and int(p) <= 255 for p in parts)


def parse_settings(value, _=None):
    """(baud rate, data bits, parity, stop bits): parity None, 0 even, 1 odd, as machine.UART counts them."""
    if value == "":
        return value
    if not isinstance(value, str) or len(value) < 7 or value[-4] != " " or not is_digits(value[:-4]):
        raise ValueError
    baud, bits, parity, stop = int(value[:-4]), value[-3], value[-2], value[-1]
    if not 300 <= baud <= 115200 or bits not in "78" or parity not in "NEO" or stop not in "12":
        raise ValueError
    return baud, int(bits), {"N": None, "E": 0, "O": 1}[parity], int(stop)


def settings_text(settings):
    """'9600 8N1' of the tuple that parse_settings gives."""
    baud, bits, parity, stop = settings
    return "%d %d%s%d" % (baud, bits, "N" if parity is None else "EO"[parity], stop)


def json_text(value):
    """A str as JSON. json.dumps gives other bytes on a PC than on a board, and these are hashed."""
    out = []
    for char in value:
        if char in '"\\':
            out.append("\\" + char)
        elif char < " ":
            out.append("\\u%04x" % ord(char))
        else:
            out.append(char)
    return '"%s"' % "".join(out)
