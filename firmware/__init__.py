"""Firmware of a metering gateway: meters on RS-485 -> flash ring -> MQTT over TLS."""

VERSION = "0.1.0"
