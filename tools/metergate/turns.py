"""The places of a ring, round and round: which blocks stand in their turn, and which do not. Pure."""

from bisect import bisect_left


def between(first, last, n):
    """The places behind first and before last, going round; all others if they are the same."""
    return [(first + i) % n for i in range(1, (last - first) % n or n)]


def turns_of(numbers, n):
    """For each of these places, in the order in which they were used: the one where that block should stand.

    The most that can be are where they should be; another one belongs right behind the one before it."""
    kept = max((_rising(numbers, first, n) for first in _beginnings(numbers, n)), key=len)
    places, last = [], (numbers[kept[0]] - kept[0] - 1) % n
    for i, number in enumerate(numbers):
        last = number if i in kept else (last + 1) % n
        places.append(last)
    return places


def _beginnings(numbers, n):
    """Where the round may begin: behind the last, if all are where they should be."""
    begin = (numbers[-1] + 1) % n
    if len(_rising(numbers, begin, n)) == len(numbers):
        return [begin]
    return list(dict.fromkeys([begin, *numbers]))


def _rising(numbers, first, n):
    """Which of these, indices, are the longest row of rising places, counted from the place first on."""
    # By length: the least place that a row of this length ends with, and its index; and what stands before each in its row.
    ends, at, before = [], [], []
    for i, number in enumerate(numbers):
        place = (number - first) % n
        length = bisect_left(ends, place)
        before.append(at[length - 1] if length else None)
        ends[length:] = [place] if length == len(ends) else [place, *ends[length + 1 :]]
        at[length:] = [i] if length == len(at) else [i, *at[length + 1 :]]
    row, i = [], at[-1]
    while i is not None:
        row.append(i)
        i = before[i]
    return row[::-1]
