"""What goes over a line, kept while a person looks: in the place of a list, but bounded, whatever a line may say."""

from micropython import const

# The newest are not kept: what began it says more.
_MOST_PARTS = const(32)
_MOST_BYTES = const(600)


class Watch:
    """A line's watch: append takes (ticks_us, "sent" or "heard", bytes); what is heard piece by piece is one part.

    parts: [(ticks_us of its first piece, "sent" or "heard", bytes of that piece, bytearray), ..]; n_more: parts not kept."""

    def __init__(self):
        self.parts = []
        self.n_more = 0

    def append(self, piece):
        at_us, what, data = piece
        parts = self.parts
        if what == "heard" and parts and parts[-1][1] == "heard":
            if len(parts[-1][3]) < _MOST_BYTES:
                parts[-1][3].extend(data)
        elif len(parts) < _MOST_PARTS:
            parts.append((at_us, what, len(data), bytearray(data)))
        else:
            self.n_more += 1

    def clear(self):
        self.parts.clear()
        self.n_more = 0
