"""The figures of the bench as a table: what each means, its limit and how it is measured. BENCH.md is made of it."""


class Figure:
    """One row. limit: (">=" or "<=", number) or None; unit as in build/bench.json; peers: who they are, in words."""

    def __init__(self, name, unit, limit, means, how, peers=""):
        self.name = name
        self.unit = unit
        self.limit = limit
        self.means = means
        self.how = how
        self.peers = peers


# A name server that never answers, with a data centre that is known by its name.
RESOLVER = "resolver"
# Faults under which lateness is measured: names of metergate.faults.FAULTS, and the resolver.
LATE_FAULTS = ("delay", "slow", "drop", "black hole", "unanswered", "reset", "stall server hello", RESOLVER)


def late_name(fault):
    """The figure's name: faults' names have blanks."""
    return "lateness.p99_ms." + fault.replace(" ", "-")


_LINE_MEANS = (
    "time that the wire needs for 8 bytes of request, 2 ms of the meter's, 20 registers of reply and %s of silence, over the "
    "time from the end of one exchange to the end of the next; above 1: the silence before a request is not kept"
)
_LINE_HOW = (
    "median of %d exchanges back to back, in 4 rounds in turn with the peers, with an exact simulated meter in real time "
    "behind a pseudo terminal; ours on the twin"
)
_LINE_PEERS = "umodbus.serial on the twin; minimalmodbus, and pymodbus's two clients, on CPython; all on the same line"
_TICKS_HOW = "as line.efficiency.%d, in turn with it, with ticks of the simulated select"
_RING_HOW = (
    "8 meters of 600 W to 60 kW with 2 points, 0.01 kWh and W, every 15 minutes, their loads those of houses, shops, "
    "factories, a pump and heating through days and weeks; two data centres acknowledge each slot; simulated NOR flash of 320 "
    "blocks of 4096 bytes, 1.25 MiB, filled from its first block until 8 blocks were erased again, and a region of daily "
    "summaries beside it; log, ring and archive are the firmware's, on the twin"
)
_RING_PEERS = (
    "the same readings appended to a file of VfsLfs2 a day, on the same flash, mounted as MicroPython mounts it by itself, "
    "with a flush after each reading or every 16; as JSON, or in 32 bytes; and in a btree on such a file, where MicroPython "
    "has that module"
)
_SMALL_RING_HOW = "the same readings in a ring of 32 blocks, so that laps take seconds; %s"
_LATE_HOW = (
    "100 slots of 2 meters every second on the twin, in real time, at 9600 baud, with ticks of 10 ms, a standstill of "
    "400 ms at each TLS handshake and flash that takes 60 ms to erase; three gateways at a time"
)

_VIRTUAL = (
    "on the twin in virtual time, with ticks of 10 ms and what calls and turns of the loop cost on an ESP32; the wire exact"
)
_MIXED = "8 meters on one line, 4 of Modbus at 9600 8N1, 2 of DL/T 645 and 2 of CJ/T 188 at 2400 8E1, 20 ms turnaround each"
_PLAIN_PEERS = (
    "masters that ask for the same in the same order on the same line: with a fixed pause behind each reply, with a reply that "
    "ends by a silence, with a fixed wait for each"
)
_NOISE_HOW = (
    "10 000 slots of 10 meters of the three protocols with each of 3 seeds, at most 5 tries, %s; the wire turns a bit in "
    "0.43 %% of all bytes, which makes 20 %% of the transactions fail by the meters' ledgers, and puts 1 to 4 stray bytes "
    "before or behind every tenth reply" % _VIRTUAL
)

# Protocol: the reply that is decoded.
DECODED = (
    ("modbus", "a reply of 20 registers with 10 f32"),
    ("dlt645", "a DL/T 645-2007 reply with the energy of all tariffs and its 5 values"),
    ("cjt188", "a CJ/T 188 reply of a heat meter with 8 values"),
)

FIGURES = (
    Figure("line.efficiency.9600", "1", (">=", 0.97), _LINE_MEANS % "3.5 characters", _LINE_HOW % 80, _LINE_PEERS),
    Figure(
        "line.efficiency.9600.ticks",
        "1",
        None,
        "the same where the loop wakes every 10 ms only, as on an ESP32",
        _TICKS_HOW % 9600,
    ),
    Figure("line.efficiency.115200", "1", (">=", 0.93), _LINE_MEANS % "1.75 ms", _LINE_HOW % 400, _LINE_PEERS),
    Figure("line.efficiency.115200.ticks", "1", None, "the same where the loop wakes every 10 ms only", _TICKS_HOW % 115200),
    Figure(
        "cycle.efficiency",
        "1",
        (">=", 0.97),
        "time that the wire needs for a slot of %s (requests, turnarounds, replies and a silence of 3.5 characters each), over "
        "the time from the first request's first bit to the last reply's last one and the silence behind it; what was asked "
        "twice counts once" % _MIXED,
        "median of 30 slots, %s; poll, decoders and log are the firmware's" % _VIRTUAL,
        _PLAIN_PEERS,
    ),
    Figure(
        "cycle.efficiency.real_time",
        "1",
        None,
        "the same in real time",
        "median of 12 slots on the twin with ticks of 10 ms, the meters behind a pseudo terminal",
    ),
    Figure(
        "dead.cost",
        "1",
        ("<=", 1.02),
        "two of these 8 meters dead, one of Modbus and one of DL/T 645: a cycle, from the slot to its last reading, over that "
        "of the other six alone, once the dead ones are asked every 15 minutes only; the worst of slots every 60 s and every "
        "5 s, and of the time the line is in use with slots every 5 s",
        "means of at least 15 minutes, %s" % _VIRTUAL,
        "masters that ask a dead meter at each slot, with the same time-out of 1 s, on the same line",
    ),
    Figure(
        "midnight.skew",
        "s",
        ("<=", 30),
        "from a slot at local midnight until the last energy register of 32 meters with 6 points each, two of them registers, "
        "was read: 12 of DL/T 645, 12 of Modbus and 8 of CJ/T 188, all at 2400 baud on one line, 20 to 100 ms turnaround",
        "one midnight, %s" % _VIRTUAL,
        "the same poll, with all points of a meter before the next one's",
    ),
    Figure(
        "noise.recovery",
        "1",
        (">=", 0.999),
        "slots with a reading of all values, of all slots, while noise breaks every fifth transaction; the worst seed",
        _NOISE_HOW,
    ),
    Figure(
        "noise.wrong.modbus",
        "1",
        ("<=", 0),
        "readings of Modbus meters with a value that the meter has not said in that slot, for 10 000 slots of the mix",
        "as noise.recovery; each stored value is compared with what the simulated meter said, decoded anew",
    ),
    Figure(
        "noise.wrong.weak",
        "1",
        ("<=", 0),
        "the same of DL/T 645 and CJ/T 188 meters, whose frames have an 8-bit sum; the limit is what the arithmetic expects: a "
        "share h of the replies is broken though its sum fits, counted by the simulator; it takes two of three such to spoil a "
        "reading, 3 h h",
        "as noise.wrong.modbus",
        "the same firmware where it believes the first reply whose sum fits; and what the arithmetic expects then, h",
    ),
    Figure(
        "driver.release",
        "char",
        ("<=", 1),
        "characters from the end of a request's last byte until the line's driver is off, the latest; an early one would break "
        "the section",
        "10 000 transmissions of 8 to 30 bytes at 2400, 9600, 19200 and 115200 baud in turn on two lines at once, with erases "
        "of 60 ms, TLS steps of 400 ms with and without a quiet moment, two tasks that block for up to 5 ms, %s" % _VIRTUAL,
        "a line that sleeps until the last byte should have left, and switches when the loop comes to it",
    ),
    Figure(
        "transactions.per_reading",
        "1",
        ("<=", 3),
        "requests for a reading of the 18 points of an SDM630",
        "counted by the simulated meter over 5 readings of the twin, at 115200 baud",
        "the same gateway with a request for each point, and with blocks that hold no register beside those of the points",
    ),
    Figure(
        "ring.bytes_per_reading",
        "B",
        ("<=", 8),
        "bytes programmed into flash for each reading: its record, and its share of headers, headings, cursors and daily "
        "summaries, those in their own region included",
        _RING_HOW,
        _RING_PEERS,
    ),
    Figure(
        "ring.erases_per_reading",
        "1",
        ("<=", 0.01),
        "blocks of 4096 bytes erased for each reading, those erased ahead included",
        "in the same run",
        "the same",
    ),
    Figure(
        "ring.write_amplification",
        "1",
        ("<=", 1.10),
        "bytes programmed over those of records and notes with their checks",
        "in the same run",
    ),
    Figure(
        "ring.erases_per_mib_stored",
        "1/MiB",
        ("<=", 261),
        "blocks erased for each MiB programmed; 256 where no byte of a block is left over",
        _SMALL_RING_HOW % "its fourth to sixth lap",
    ),
    Figure(
        "ring.wear_spread",
        "1",
        ("<=", 1),
        "erases of the block that was erased most, less those of the one that was erased least",
        _SMALL_RING_HOW % "the most at any slot of its fourth to sixth lap",
    ),
    Figure(
        "ring.history_days",
        "d",
        (">=", 183),
        "from the oldest reading that a ring of 1.25 MiB holds to the newest one",
        "in the run of ring.bytes_per_reading, when the ring had begun to overwrite",
    ),
    Figure(
        "ring.days_years",
        "a",
        None,
        "daily summaries that their region of 256 KiB holds, of as many meters, by what they take in the same run",
        "computed in that run: it does not fill that region",
    ),
    Figure(
        "ring.mount_bytes_read",
        "B",
        ("<=", 16 * 1024),
        "bytes that a start reads until the ring takes records, when it is full",
        "in the same run, the most of starts every 5 slots while a block is filled",
    ),
    Figure(
        "ring.mount_bytes_read_worst",
        "B",
        ("<=", 24 * 1024),
        "the same after a cut, the worst one",
        "640 cuts, by seed, of a ring of 320 blocks in its second lap that was whole and nearly at its newest block's end: "
        "in the next erase, the next mark, or within the next 16, 80, 400 or 3000 bytes",
    ),
    Figure(
        "uplink.bytes_per_reading",
        "B",
        None,
        "bytes on the wire in both directions for each reading of 2 points, with TLS, MQTT and acknowledgements, without TCP's "
        "and IP's headers; of a session that stands: without handshake, health (every 5 minutes) and pings (none while "
        "readings come)",
        "12 slots of 8 meters on the twin through the counting proxy to a real broker",
        "umqtt.simple on the twin, the same readings as JSON, a publish at QoS 1 each, by the same proxy and broker",
    ),
    Figure(
        "lateness.p99_ms.healthy",
        "ms",
        None,
        "99th percentile, by nearest rank, of the time from a slot to the first bit of its first request on the line",
        _LATE_HOW,
    ),
    *(
        Figure(
            late_name(fault),
            "ms",
            None,
            "the same with a name server that never answers: there is never a session"
            if fault == RESOLVER
            else "the same from the moment on when the network has the fault `%s` of `metergate proxy`" % fault,
            "as lateness.p99_ms.healthy",
        )
        for fault in LATE_FAULTS
    ),
    Figure(
        "heap.needed_mpy_bytes",
        "B",
        ("<=", 110 * 1024),
        "smallest Python heap on which 8 meters and one data centre run, firmware as .mpy files, TLS contexts not counted",
        "bisection of -X heapsize on the twin to 1 KB, less what the run's SSLContext takes",
    ),
    Figure("heap.needed_frozen_bytes", "B", ("<=", 64 * 1024), "the same, firmware frozen", "as before, on the frozen twin"),
    Figure(
        "heap.after_start_bytes",
        "B",
        None,
        "allocated after a collection once the gateway runs with a session, firmware frozen, TLS contexts not counted",
        "memory.used of the first health message, on the frozen twin",
    ),
    *(
        Figure(
            "decode.%s.instructions" % protocol,
            "1",
            None,
            "processor instructions to find %s in one piece and make its values, collections included" % reply,
            "valgrind's callgrind on the twin, difference of runs of 100 and 300 replies",
        )
        for protocol, reply in DECODED
    ),
    Figure(
        "append.instructions",
        "1",
        None,
        "processor instructions to store a reading of 2 points, its share of headings, summaries and collections included",
        "valgrind's callgrind on the twin, difference of runs of 400 and 1200 readings, the flash a piece of memory",
    ),
    Figure(
        "append.heap_bytes",
        "B",
        None,
        "heap that the ring takes to store a reading of 2 points in a block that is open",
        "gc.mem_alloc before and after each of 500 readings with the collector off, on the twin, the flash a piece of memory",
    ),
    Figure(
        "read.instructions",
        "1",
        None,
        "processor instructions to read a record of 2 points from the ring, its share of notes and collections included",
        "valgrind's callgrind on the twin, difference of runs that read 400 and 1200 of 1200 records, as before",
    ),
)
