"""umodbus's slave as a meter: micropython umodbus_slave.py ROOT, in a folder with sim.json and registers.json.

registers.json: {"unit": 1, "baud": 9600, "registers": {"IREGS": {"0": 17, ..}, "HREGS": {..}}}. Answers until it is ended;
prints a line once it listens.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys
import time

ROOT = sys.argv[1]
sys.path[:] = ["", ROOT + "/tests/sim/ports", ".frozen", ROOT, ROOT + "/lib"]

import machine

from tests.sim.umodbusport import Uart


def main():
    machine.UART = Uart
    from umodbus.serial import ModbusRTU

    with open("registers.json") as file:
        plan = json.load(file)
    slave = ModbusRTU(plan["unit"], baudrate=plan["baud"], pins=(17, 16), uart_id=1)
    add = {"IREGS": slave.add_ireg, "HREGS": slave.add_hreg}
    for kind, registers in plan["registers"].items():
        for register, value in registers.items():
            add[kind](int(register), value)
    print("listening")
    while True:
        if not slave.process():
            # Leaves the machine to the others: its own wait spins.
            time.sleep_ms(1)


main()
