"""Takes up a log where it ended: what its newest records say of each meter, and the open days. Only the start needs it."""

from micropython import const

from firmware import VERSION
from firmware.clock import AHEAD_S
from firmware.errors import MetergateError
from firmware.protocols import record
from firmware.store import search

_OF_METERS = (record.READING, record.MISS, record.DAY)
# How many blocks further back a meter is looked for whose names were damaged.
_MOST_BACK = const(2)


def take_up(log, tell_change):
    """As Log.open has it."""
    formatted = log.ring.mount()
    _open_archive(log)
    if formatted:
        return True
    # From the block of the last record on: its heading is whole.
    block = search.block_of_seq(log.ring, log.ring.next_seq - 1)
    known, about, decoder = _known(log, block)
    for meter in log.meters:
        old = known.get(meter.name)
        if old:
            meter.last_slot_s, meter.next_day = old.last_slot_s, old.next_day
            if meter.serial is not None:
                meter.serial = old.serial
    if about and tell_change:
        # The archive gets them by the refolding, in their order behind days that a cut kept from it.
        archive, log.archive = log.archive, None
        # Told before the new is noted: after a cut between the two it comes twice, not never.
        for key, old, new in _changes(log, about):
            tell_change(key, old, new)
        log.archive = archive
    try:
        _say_anew(log, log.ring, decoder)
    except OSError:
        log.n_unstored += 1
    _refold(log)
    return False


def _changes(log, before):
    """[(key, old, new), ..] that differs from the About before."""
    pairs = ("config", before.config, log.config_hash), ("zone", before.zone, log.zone.text)
    return [pair for pair in pairs + (("version", before.version, VERSION),) if pair[1] != pair[2]]


def _open_archive(log):
    if log.archive is None:
        return
    try:
        log.archive.mount(log.ring.log)
        _say_anew(log, log.archive.ring, log.archive.ring.decoder)
    except (OSError, MetergateError) as error:
        # Measuring goes on without it, and whoever looks is told.
        log.archive, log.archive_fault = None, error


def _say_anew(log, ring, decoder):
    """Note what the records from now on mean, where that has changed: not at each start, for the flash's sake."""
    about = decoder.about
    if about is None:
        # No block yet: it will have a heading.
        return
    if (about.config, about.zone, about.version, about.log) != (log.config_hash, log.zone.text, VERSION, log.ring.log):
        ring.note(record.ABOUT, log.about())
    if not _same_names(log.meters, decoder.meters):
        # Before the summaries that follow: they name their meters by these.
        # Each with its points: a block that is opened meanwhile has a heading of its own.
        for i, meter in enumerate(log.meters):
            ring.note(record.NAMES, record.put_names(i, meter))


def _same_names(meters, in_force):
    """True if the notes in force (index -> MeterNames) give each index the meter that it has now."""
    for index, meter in enumerate(meters):
        old = in_force.get(index)
        if old is None or (old.name, old.every_s, old.points) != (meter.name, meter.every_s, meter.points):
            return False
        if (old.serial or "") != (meter.serial or ""):
            return False
    return True


def _known(log, block):
    """(name -> MeterNames as the newest records left them, the newest About, a decoder that knows the notes in force)."""
    for _ in range(_MOST_BACK + 1):
        known, about, reader = {}, None, log.ring.reader_of(block)
        for kind, _, found in reader:
            if found is None:
                continue
            about = reader.decoder.about or about
            if kind == record.NAMES:
                known[found.name] = found
            elif kind in _OF_METERS:
                _follow(log.zone, known, found)
        before = search.before(log.ring, block)
        if not reader.n_damaged or before < 0 or all(meter.name in known for meter in log.meters):
            break
        # Its names may have been damaged: they stand at the beginning of each block.
        block = before
    return known, about, reader.decoder


def _follow(zone, known, found):
    """Carry a meter's last slot and next day on by one record."""
    meter = known.get(found.meter)
    if meter is None:
        return
    if found.kind == record.DAY:
        meter.next_day = found.day + 1
    else:
        meter.last_slot_s = found.slot_s if found.kind == record.READING else found.end_s
        meter.next_day = meter.next_day or zone.day_of(found.slot_s)


def _refold(log):
    """Fold the records since the oldest open day again, and write the summaries that a cut left unwritten."""
    starts = [log.zone.midnight_s(meter.next_day) for meter in log.meters if meter.next_day]
    # A clock that was ahead may have put a slot of the day into a block before the one opened when the day began.
    ring = log.ring
    reader = ring.reader_at(min(starts) - AHEAD_S) if starts else ring.reader(ring.next_seq - 1)
    by_name = {meter.name: meter for meter in log.meters}
    unwritten = {}
    emit = log.days.emit
    log.days.emit = lambda meter, day: unwritten.update({(meter.name, day.day): day})
    for kind, seq, found in reader:
        if found is None:
            continue
        if kind == record.NAMES:
            if found.name in by_name and not found.last_slot_s:
                # Rewound here: the open day was of a clock that had been ahead.
                log.days.forget(by_name[found.name])
        elif kind == record.DAY:
            unwritten.pop((found.meter, found.day), None)
            log.keep(seq, found)
        elif kind == record.CHANGE:
            log.keep(seq, found)
        elif kind in _OF_METERS and found.meter in by_name:
            _refold_one(log, by_name[found.meter], found)
    log.days.emit = emit
    for name, number in sorted(unwritten):
        log.day(by_name[name], unwritten[name, number])


def _refold_one(log, meter, found):
    if found.kind == record.READING:
        # A reading made under another configuration may have other points: only those that are the same count.
        values = dict(zip(found.points, found.values))
        found.points, found.values = meter.points, [values.get(point) for point in meter.points]
        log.latest[meter.name] = found
    log.days.add(meter, found)
