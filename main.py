"""Started after boot.py: the gateway."""

from firmware.app import run

run()
