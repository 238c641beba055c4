"""`metergate export`: a unit's log, from its console or from a file with its flash, as CSV, JSON lines or the flash itself."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from firmware.clock import Zone
from firmware.console.export import span_of
from firmware.console.exportrecords import COMMENT, LATEST_S, RECORD, Export
from firmware.errors import CommandError, ConfigError, StoreError
from firmware.store.block import is_erased, mark_of
from metergate import fetch
from metergate.image import BLOCK, WHERE, image_of, open_ring
from metergate.unit import Unit

# Exit status where something could not be read.
UNREADABLE = 3


def main(arguments):
    """Exit status: 0, 3 if something could not be read. ConfigError, RuntimeError, OSError."""
    _check(arguments)
    status = 0
    image, offset = arguments.image, arguments.offset
    if arguments.port:
        is_binary = arguments.format == "binary"
        # The flash stays beside what is made of it: the next --resume goes on from there.
        image = arguments.out if is_binary else arguments.out + ".image"
        status = _fetch(arguments, image)
        if is_binary:
            return status
        offset = 0
    found = image_of(image, offset, arguments.days)
    if found.fault:
        _tell(found.fault)
        status = UNREADABLE
    if arguments.format == "binary":
        with _output(arguments.out, True) as out:
            for number in range(found.n_blocks):
                out.write(found.block(number))
        return status
    return write_records(found, arguments) or status


def _check(arguments):
    if arguments.port and not arguments.out:
        raise ConfigError("--out", "must say which file to write, with --port")
    if arguments.port and arguments.offset is not None:
        raise ConfigError("--offset", "is for --image; a unit knows where its log is")
    if arguments.resume and not arguments.port:
        raise ConfigError("--resume", "is for --port")
    # Before some minutes are spent: what it is in the unit's zone shows later.
    _range(Zone("UTC0"), arguments)
    if arguments.format == "binary" and (arguments.first or arguments.last):
        raise ConfigError("--format", "must be csv or json with --from or --to: the flash is exported whole")
    if arguments.image and arguments.out and Path(arguments.out).resolve() == Path(arguments.image).resolve():
        raise ConfigError("--out", "must be another file than --image")


# -- from a unit ---------------------------------------------------------------------------------------------------------


def _fetch(arguments, path):
    """Make the file path what the unit's region is; the exit status."""
    unit = Unit(arguments.port)
    try:
        with _progress() as progress:
            n_blocks, n, unsettled = fetch.fetch(unit, path, "days " if arguments.days else "", arguments.resume, progress)
        _tell(f"{path}: {n_blocks} blocks of {BLOCK} bytes, {n} of them fetched now")
        if unsettled:
            shown = ", ".join(map(str, unsettled))
            _tell(f"read differently each time: block {shown}; damaged flash, or written meanwhile: --resume asks again")
        return UNREADABLE if unsettled else 0
    except KeyboardInterrupt:
        unit.stop()
        _tell("ended; --resume goes on from here")
        raise
    finally:
        unit.close()


class _Rate(ProgressColumn):
    def render(self, task):
        return Text(f"{(task.speed or 0) * BLOCK / 1024:.1f} KiB/s")


@contextmanager
def _progress():
    """A function (done, of) that shows how far it is, on a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("{task.percentage:3.0f} %"), BarColumn(), TextColumn("{task.completed}/{task.total} blocks"), _Rate()
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)


# -- from an image -------------------------------------------------------------------------------------------------------


def write_records(image, arguments):
    """Write the records of a FileImage to --out or standard output, what cannot be read to standard error. Exit status."""
    try:
        ring = open_ring(image)
    except StoreError as error:
        raise RuntimeError(f"no log in this file: {error.args[0]}; {WHERE}") from None
    if ring is None:
        raise RuntimeError(f"no log in this file: it is blank; {WHERE}")
    about = ring.decoder.about
    if about is None and (arguments.first or arguments.last):
        _tell("the unit's time zone cannot be read: --from and --to are taken as UTC")
    first_s, last_s = _range(Zone(about.zone if about else "UTC0"), arguments)
    made = Export(ring, arguments.format, first_s, last_s)
    with _output(arguments.out) as out:
        for kind, line in made.lines():
            if kind == RECORD:
                out.write(line + "\n")
            elif kind == COMMENT:
                _tell(line)
    if ring.n_torn:
        _tell("the newest block ends in bytes that are no record: a power cut while one was written, or damage")
    lost = _without_mark(ring, image)
    for number in lost:
        _tell(f"block {number}, behind the newest, has no mark: an erase that failed, or what stood in it cannot be read")
    return UNREADABLE if made.n_places or lost else 0


def _without_mark(ring, image):
    """The numbers of blocks between the newest and one erased ahead that are neither: newer ones may have stood there."""
    found = []
    end = ring.spares[0][0] if ring.spares else ring.block
    number = ring.blocks.after(ring.block)
    while number != end:
        data = image.block(number)
        if mark_of(data) is None and not is_erased(data):
            found.append(number)
        number = ring.blocks.after(number)
    return found if ring.spares else []


def _range(zone, arguments):
    """(first, last) Unix seconds of --from and --to. ConfigError."""
    ends = [0, LATEST_S]
    for i, (option, text) in enumerate((("--from", arguments.first), ("--to", arguments.last))):
        if not text:
            continue
        words = text.replace("T", " ").split()
        try:
            *span, rest = span_of(zone, words)
        except CommandError as error:
            raise ConfigError(option, f"must be a local date, or date and time: {error.args[0]}") from None
        if rest:
            raise ConfigError(
                option, f"must be one date, such as 2026-11-21, or 2026-11-21T14:05:00; too much: {' '.join(rest)}"
            )
        ends[i] = span[i]
    if ends[0] > ends[1]:
        raise ConfigError("--to", "must not be before --from")
    return ends


@contextmanager
def _output(path, is_binary=False):
    """The file to write, or standard output. A file gets its name when it is whole: what had it before stays until then."""
    if not path:
        yield sys.stdout.buffer if is_binary else sys.stdout
        return
    new = path + ".new"
    try:
        with open(new, "wb") if is_binary else open(new, "w", newline="\n") as file:
            yield file
        os.replace(new, path)
    finally:
        Path(new).unlink(missing_ok=True)


def _tell(text):
    print(f"metergate: {text}", file=sys.stderr)
