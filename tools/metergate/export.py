"""`metergate export`: a unit's log, from its console or from a file with its flash, as CSV, JSON lines or the flash itself."""

import sys
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from firmware.clock import Zone
from firmware.console.export import range_of
from firmware.console.exportrecords import Export
from firmware.errors import CommandError, ConfigError, StoreError
from metergate import fetch
from metergate.image import BLOCK, image_of, open_ring
from metergate.unit import Unit

# Exit status where something could not be read.
UNREADABLE = 3


def main(arguments):
    """Exit status: 0, 3 if something could not be read. ConfigError, RuntimeError."""
    _check(arguments)
    image, offset = arguments.image, arguments.offset
    if arguments.port:
        is_binary = arguments.format == "binary"
        # The flash stays beside what is made of it: the next --resume goes on from there.
        image = arguments.out if is_binary else arguments.out + ".image"
        _fetch(arguments, image)
        if is_binary:
            return 0
        offset = 0
    found = image_of(image, offset, arguments.days)
    with _output(arguments.out, arguments.format) as out:
        if arguments.format == "binary":
            for number in range(found.n_blocks):
                out.write(found.block(number))
            return 0
        return write_records(found, arguments, out)


def _check(arguments):
    if arguments.port and not arguments.out:
        raise ConfigError("--out", "must say which file to write, with --port")
    if arguments.port and arguments.offset is not None:
        raise ConfigError("--offset", "is for --image; a unit knows where its log is")
    if arguments.resume and not arguments.port:
        raise ConfigError("--resume", "is for --port")
    if arguments.format == "binary" and (arguments.first or arguments.last):
        raise ConfigError("--format", "must be csv or json with --from or --to: the flash is exported whole")
    if arguments.image and arguments.out and Path(arguments.out).resolve() == Path(arguments.image).resolve():
        raise ConfigError("--out", "must be another file than --image")


# -- from a unit ---------------------------------------------------------------------------------------------------------


def _fetch(arguments, path):
    unit = Unit(arguments.port)
    try:
        with _progress() as progress:
            n_blocks, n = fetch.fetch(unit, path, "days " if arguments.days else "", arguments.resume, progress)
        _tell(f"{path}: {n_blocks} blocks of {BLOCK} bytes, {n} of them fetched now")
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


def write_records(image, arguments, out):
    """Write the records of a FileImage to out; what cannot be read goes to standard error. Exit status."""
    try:
        ring = open_ring(image, arguments.days)
    except StoreError as error:
        raise RuntimeError(f"no log in this file: {error.args[0]}") from None
    if ring is None:
        raise RuntimeError("no log in this file: it is blank")
    first_s, last_s = _range(zone_of(ring), arguments)
    made = Export(ring, arguments.format, first_s, last_s)
    for line in made.lines():
        if line is None:
            continue
        if not line.startswith("#"):
            out.write(line + "\n")
        elif " %, " not in line:
            _tell(line[2:])
    if ring.n_torn:
        _tell("the newest block ends in bytes that are no record: a power cut while one was written, or damage")
    if image.n_over:
        _tell(f"the file ends with {image.n_over} bytes of a block: it is not whole")
    return UNREADABLE if made.n_places or image.n_over else 0


def zone_of(ring):
    """The Zone of the newest records; UTC where they do not say."""
    about = ring.decoder.about
    try:
        return Zone(about.zone if about else "UTC0")
    except ConfigError:
        return Zone("UTC0")


def _range(zone, arguments):
    ends = []
    for option, text in (("--from", arguments.first), ("--to", arguments.last)):
        try:
            found = range_of(zone, _words(text))
            # What an end is: the first second of FROM, the last one of TO.
            ends.append(found[0] if option == "--from" else range_of(zone, _words(text) * 2)[1] if text else found[1])
        except CommandError as error:
            raise ConfigError(option, f"must be a local date, or date and time: {error.args[0]}") from None
    if ends[0] > ends[1]:
        raise ConfigError("--to", "must not be before --from")
    return ends


def _words(text):
    return (text or "").replace("T", " ").split()


@contextmanager
def _output(path, form):
    """The file to write, or standard output."""
    if path:
        with open(path, "wb") if form == "binary" else open(path, "w", newline="\n") as file:
            yield file
    else:
        yield sys.stdout.buffer if form == "binary" else sys.stdout


def _tell(text):
    print(f"metergate: {text}", file=sys.stderr)
