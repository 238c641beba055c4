"""metergate: the host command."""

import argparse
import os
import sys
from pathlib import Path

from firmware.errors import ConfigError
from firmware.meters.equip import PROTOCOLS


def _simulate(arguments):
    from metergate import simulate

    return simulate.main(arguments)


def _demo(arguments):
    from metergate import demo

    return demo.main(arguments.seconds)


def _try(_):
    from metergate import tryout

    return tryout.main()


def _soak(arguments):
    from metergate import soak

    return soak.main(arguments.days, arguments.seed, arguments.firmware, arguments.twice)


def _proxy(arguments):
    from metergate import faults

    return faults.main(arguments)


def _check(arguments):
    from firmware import plan

    own = Path(arguments.profiles or Path(arguments.file).with_name("profiles.json"))
    if arguments.profiles and not own.exists():
        raise ConfigError(arguments.profiles, "cannot be read; is there such a file?")
    config = plan.load(arguments.file, arguments.secrets, str(own))
    print(f"{arguments.file} is valid, hash {config.hash}")


def _deploy(arguments):
    from metergate import deploy

    return deploy.main(arguments.port, arguments.config_folder, arguments.frozen)


def _decode(arguments):
    from metergate import decode

    return decode.main(arguments)


def _export(arguments):
    from metergate import export

    return export.main(arguments)


def _audit(arguments):
    from metergate import audit

    return audit.main(arguments.image, arguments.offset, arguments.days)


def _profiles(arguments):
    from metergate import profilelist

    return profilelist.main(arguments.names, arguments.json, arguments.profiles)


def _offset(text):
    try:
        offset = int(text, 0)
    except ValueError:
        offset = -1
    if offset < 0:
        raise argparse.ArgumentTypeError(f"must be a number of bytes such as 0x200000, not {text}")
    return offset


def _add_region(command):
    command.add_argument(
        "--offset",
        type=_offset,
        metavar="0x..",
        help="where the region begins in a file of a whole flash (default: as its table of partitions says)",
    )
    command.add_argument("--days", action="store_true", help="the partition of daily summaries and changes, not the log's")


def _parser():
    parser = argparse.ArgumentParser(prog="metergate", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("demo", help="meters, flash, TLS and a data centre on this machine")
    command.add_argument("--seconds", type=int, default=60, help="how long it runs (20 or more)")
    command.set_defaults(run=_demo)
    command = commands.add_parser("try", help="the gateway's console on this terminal, with simulated meters")
    command.set_defaults(run=_try)
    command = commands.add_parser("simulate", help="a line of simulated meters on a pseudo terminal or a serial port")
    command.add_argument("file", nargs="?", metavar="FILE", help="line file (JSON): settings and meters")
    command.add_argument("--port", metavar="PORT", help="a serial port in place of a pseudo terminal, such as /dev/ttyUSB0")
    command.add_argument("--example", action="store_true", help="print a line file to begin with")
    command.add_argument("--keys", action="store_true", help="print what a line file may hold")
    command.add_argument("--faults", action="store_true", help="print the faults that meters and lines may have")
    command.set_defaults(run=_simulate)
    command = commands.add_parser("soak", help="simulated days of the firmware in virtual time, with faults")
    command.add_argument("--days", type=float, default=60, help="how many (default: 60)")
    command.add_argument("--seed", type=int, default=1, help="the same seed gives the same run, byte for byte")
    command.add_argument("--firmware", metavar="FOLDER", help="another firmware: a folder with boot.py, main.py, firmware, lib")
    command.add_argument("--twice", action="store_true", help="run it twice, and compare every byte")
    command.set_defaults(run=_soak)
    command = commands.add_parser("proxy", help="a network with a fault, between a gateway and a broker")
    command.add_argument(
        "--listen", type=int, default=8884, metavar="PORT", help="where the gateway connects to (default: 8884)"
    )
    command.add_argument("--target", type=int, default=8883, metavar="PORT", help="the broker on this machine (default: 8883)")
    command.add_argument("--fault", default="none", metavar="NAME", help="`list` lists them")
    command.add_argument("--seed", type=int, default=1, help="the same seed gives the same delays and lives of connections")
    command.add_argument("--address", default="127.0.0.1", help="the address it listens on (default: this machine alone)")
    command.set_defaults(run=_proxy)
    command = commands.add_parser("check", help="check a configuration as the gateway would")
    command.add_argument("file")
    command.add_argument("--secrets", default="secrets.json", help="its secrets, if there are any")
    command.add_argument("--profiles", help="profiles of one's own, if there are any (default: profiles.json beside it)")
    command.set_defaults(run=_check)
    command = commands.add_parser("decode", help="recorded bytes of a line, frame by frame, as JSON")
    command.add_argument("protocol", choices=PROTOCOLS)
    command.add_argument("hex", nargs="+", metavar="HEX", help="bytes as pairs of hex digits; - reads them from standard input")
    command.add_argument("--profile", metavar="NAME", help="say the points of this profile, in their units")
    command.add_argument("--profiles", metavar="FILE", help="profiles of one's own")
    command.add_argument("--first", metavar="REGISTER", help="Modbus: first register of replies without their request, hex")
    command.set_defaults(run=_decode)
    command = commands.add_parser("profiles", help="the meters that are known, and what each can tell")
    command.add_argument("names", nargs="*", metavar="NAME", help="all of these profiles' points")
    command.add_argument("--json", action="store_true", help="as JSON, with everything")
    command.add_argument("--profiles", metavar="FILE", help="profiles of one's own")
    command.set_defaults(run=_profiles)
    command = commands.add_parser(
        "export", help="a unit's log, from its serial port while it measures, or from a file with its flash"
    )
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--port", help="serial port of the unit's console, such as /dev/ttyUSB0")
    source.add_argument("--image", metavar="FILE", help="the bytes of the log's region, or of a whole flash")
    command.add_argument(
        "--from", dest="first", metavar="D", help="local date, or date and time: 2026-11-21, 2026-11-21T14:05:00"
    )
    command.add_argument("--to", dest="last", metavar="D", help="the same; this day or second is the last one")
    command.add_argument("--format", choices=("csv", "json", "binary"), default="csv", help="binary: the flash itself")
    command.add_argument("--out", metavar="FILE", help="where it goes (--image: default standard output)")
    command.add_argument(
        "--resume", action="store_true", help="bring the image of an export before up to what the unit holds now"
    )
    _add_region(command)
    command.set_defaults(run=_export)
    command = commands.add_parser("audit", help="check a log's chain of hashes and every record in it")
    command.add_argument("image", metavar="IMAGE", help="the bytes of the log's region, or of a whole flash")
    _add_region(command)
    command.set_defaults(run=_audit)
    command = commands.add_parser("deploy", help="copy what changed to a board and restart it")
    command.add_argument("port", help="serial port, such as /dev/ttyUSB0")
    command.add_argument("--config-folder", help="folder with config.json, secrets.json and CA files for this board")
    command.add_argument("--frozen", action="store_true", help="the firmware is in the board's image: its files go")
    command.set_defaults(run=_deploy)
    return parser


def main():
    """The command's exit status: 0, 1 for a failure, 2 for an input that cannot be used; export and audit have 3 besides."""
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments) or 0
    except ConfigError as error:
        print(f"metergate: {error.key} {error.allowed}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"metergate: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who reads has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        print(f"metergate: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
