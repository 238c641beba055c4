"""What unit tests share: sections of a configuration, errors that must come, a locked heap, golden files, zones."""

import json

try:
    from micropython import heap_lock, heap_unlock
except ImportError:
    # CPython, whose heap nobody locks.
    heap_lock = heap_unlock = int


class Section:
    """A section of the configuration, made by hand: its keys are attributes."""

    def __init__(self, **keys):
        for key in keys:
            setattr(self, key, keys[key])


def raised(kind, function, *args):
    """The exception of this kind that function(*args) raises; AssertionError if it raises none."""
    try:
        function(*args)
    except kind as error:
        return error
    raise AssertionError("no " + kind.__name__)


def unallocated(method):
    """What method() gives while the heap is locked, so that any allocation is a MemoryError."""
    heap_lock()
    try:
        return method()
    finally:
        heap_unlock()


def hexed(text):
    """The bytes of '68 AA 16'."""
    return bytes(int(word, 16) for word in text.split())


def golden(name):
    """What tests/golden/NAME.json holds."""
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    # Opened as bytes: MicroPython knows no encoding= and CPython would take the machine's own.
    with open("%s/../golden/%s.json" % (folder, name), "rb") as file:
        return json.loads(file.read().decode())


# Real zones' rules, with every way of changing the clock: at midnight, over midnight, by 30 minutes and by 2 hours,
# in the south, backward in summer, at hours beyond the day, with odd offsets.
ZONES = (
    "UTC0",
    "CST-8",
    "IST-5:30",
    "<+0545>-5:45",
    "<-0930>9:30",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "GMT0BST,M3.5.0/1,M10.5.0",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
    "CST5CDT,M3.2.0/0,M11.1.0/1",
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
    "<-01>1<+00>,M3.5.0/0,M10.5.0/1",
    "<-04>4<-03>,M10.1.0/0,M3.4.0/0",
    "EET-2EEST,M3.5.0/0,M10.5.0/0",
    "EET-2EEST,M4.5.5/0,M10.5.4/24",
    "EET-2EEST,M3.4.4/50,M10.4.4/50",
    "IST-2IDT,M3.4.4/26,M10.5.0",
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "<-06>6<-05>,M9.1.6/22,M4.1.6/22",
    "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
    "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
    "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01",
    "<-03>3<-02>,J60/2,J305",
    "<+12>-12<+13>,J44/2,J309/3",
)
