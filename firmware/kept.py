"""One of what is equal: meters and their sections have much in common. Only the start needs it."""

_same = {}


def kept(value):
    """The value itself, or one that is equal and was kept before. Of texts, tuples and None; not of numbers."""
    return value if isinstance(value, int) else _same.setdefault(value, value)
