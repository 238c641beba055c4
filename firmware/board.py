"""The board's hardware as ports: THE ONLY FILE that imports machine, network and esp32.

Written for the ESP32 port of MicroPython 1.24 or newer, against its documentation. A PC's MicroPython finds
simulated modules of the same names on its path; nothing else in firmware/ can tell the difference.
"""

import sys

import machine
import network
from esp32 import Partition

from firmware.errors import ConfigError, StoreError

# Names of the partitions in the partition table (boards/): of the ring, and of the daily summaries' own.
_RING_LABEL = "ring"
_DAYS_LABEL = "days"
# A full Modbus frame is 256 bytes, which is all that the port holds by default.
_RX_BYTES = 512
_TX_BYTES = 256

# A PC gives a fault's reason as exit status; a board has nobody to give it to and opens a safe console.
on_pc = sys.platform in ("linux", "darwin", "win32")


def line_ports(section):
    """(uart, drive) of one of config.lines; drive is None without a driver-enable pin. ConfigError: not on this board.

    uart.init() with only baudrate, bits, parity and stop keeps pins and buffers (ports/esp32/machine_uart.c)."""
    try:
        # Before the UART, whose start-up would else reach the line through a driver that is still enabled.
        drive = machine.Pin(section.de, machine.Pin.OUT, value=0) if section.de >= 0 else None
        uart = machine.UART(section.uart, baudrate=9600, tx=section.tx, rx=section.rx, rxbuf=_RX_BYTES, txbuf=_TX_BYTES)
    except (ValueError, OSError) as error:
        # UART 0 is the console's, and not every pin of the schema exists on every ESP32 or can drive a line.
        raise ConfigError("lines." + section.name, "must be a UART and pins this board has; it says: %s" % error)
    return uart, drive


def ring_device():
    """The ring's block device. StoreError if the partition table has none."""
    found = Partition.find(Partition.TYPE_DATA, label=_RING_LABEL)
    if not found:
        raise StoreError("no flash partition '%s': see boards/ for the partition table" % _RING_LABEL)
    return found[0]


def days_device():
    """The block device of daily summaries and changes; None if the partition table has none."""
    found = Partition.find(Partition.TYPE_DATA, label=_DAYS_LABEL)
    return found[0] if found else None


def wlan():
    """The Wi-Fi station."""
    return network.WLAN(network.STA_IF)


def watchdog(timeout_ms):
    """A watchdog that restarts the board unless feed() is called in time. It cannot be stopped again.

    There is one: on ESP32 a later call changes its time (esp_task_wdt_reconfigure), whatever the documentation says."""
    return machine.WDT(timeout=timeout_ms)


def set_clock(at_s, civil):
    """Set the board's clock to Unix seconds; civil is clock.civil_of_day. The weekday (0) is not looked at."""
    year, month, day = civil(at_s // 86400)
    second = at_s % 86400
    machine.RTC().datetime((year, month, day, 0, second // 3600, second // 60 % 60, second % 60, 0))


def clock_kept():
    """True if something else keeps the clock right: a PC's operating system does."""
    return on_pc


def restart():
    """Start the board anew. Does not return."""
    machine.reset()


def start_cause():
    """Why the board started: power, reset, watchdog, sleep, soft, unknown.

    ESP32: power is a brown-out too, reset is machine.reset() and a crash of MicroPython itself."""
    names = (
        (machine.PWRON_RESET, "power"),
        (machine.HARD_RESET, "reset"),
        (machine.WDT_RESET, "watchdog"),
        (machine.DEEPSLEEP_RESET, "sleep"),
        (machine.SOFT_RESET, "soft"),
    )
    cause = machine.reset_cause()
    for value, name in names:
        if value == cause:
            return name
    return "unknown"
