"""The twin has a board's traits, and the unchanged firmware works in little more heap than it needs."""

import json
import subprocess

import pytest
from conftest import METERS, THREE, answer, config, uplink
from test_whole import drained

from metergate.image import read_image
from metergate.onpc import ROOT
from metergate.pcgateway import board_root, twin
from metergate.processes import wait_for

# What `make bench` has measured, where it ran; else the figures of BENCH.md.
_BENCH = ROOT / "build" / "bench.json"
_NEEDED_MPY_BYTES = 202_464
_NEEDED_FROZEN_BYTES = 85_728

pytestmark = pytest.mark.usefixtures("needs_twin")


def ask(program, text, heap="100k"):
    """What a program on the twin prints, by lines."""
    command = [program, "-X", f"heapsize={heap}", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(params=[False, True], ids=["twin", "twin-frozen"])
def program(request):
    return twin(request.param)


def test_words_and_floats_have_32_bits(program):
    assert ask(program, "import sys; print(sys.maxsize, sys.implementation.version[:2])") == ["2147483647 (1, 25)"]
    assert ask(program, "print(16777217.0 == 16777216.0, float('12345678.91'), 0.1 + 0.2)") == ["True 1.234568e+07 0.3"]
    # A small integer takes no heap: 31 bits with the sign.
    text = """
import micropython
def add(a, b):
    micropython.heap_lock()
    try:
        a + b
        return 'small'
    except MemoryError:
        return 'heap'
    finally:
        micropython.heap_unlock()
print(add(2**30 - 2, 1), add(2**30 - 1, 1), add(-2**30 + 1, -1), add(-2**30, -1))
"""
    assert ask(program, text) == ["small heap small heap"]


def test_ticks_wrap_as_on_a_board(program):
    assert ask(program, "import time; print(time.ticks_add(0, -1), time.ticks_diff(0, 2**30 - 1))") == ["1073741823 1"]


def test_heap_is_as_small_as_asked(program):
    text = "import gc, micropython; micropython.mem_info(); print(gc.mem_alloc() + gc.mem_free(), gc.threshold())"
    # A block in hundred goes to the collector's own tables.
    assert 95_000 < int(ask(program, text, "100000")[-1].split()[0]) <= 100_000
    done = subprocess.run([program, "-X", "heapsize=100k", "-c", "bytearray(110000)"], capture_output=True, timeout=20)
    assert done.returncode == 1 and b"MemoryError" in done.stderr


def test_modules_are_those_of_a_board(program):
    modules = (
        "asyncio, binascii, deflate, gc, hashlib, json, micropython, platform, random, re, select, socket, struct, tls, vfs"
    )
    assert ask(program, f"import {modules}, termios; print(binascii.crc32(b'123456789'))") == ["3421780262"]
    for name in ("btree", "ffi", "network", "esp32"):
        assert ask(program, f"try:\n    import {name}\nexcept ImportError:\n    print('none')") == ["none"]


def test_littlefs_works_on_a_block_device_of_ours(program):
    text = """
import io, os, vfs
class Ram(io.IOBase):
    def __init__(self):
        self.data = bytearray(16 * 4096)
    def readblocks(self, block, buf, offset=0):
        buf[:] = self.data[block * 4096 + offset : block * 4096 + offset + len(buf)]
    def writeblocks(self, block, buf, offset=0):
        self.data[block * 4096 + offset : block * 4096 + offset + len(buf)] = buf
    def ioctl(self, op, _):
        return {4: 16, 5: 4096}.get(op, 0)
ram = Ram()
vfs.VfsLfs2.mkfs(ram)
vfs.mount(vfs.VfsLfs2(ram), '/board')
with open('/board/config.json', 'w') as file:
    file.write('{}')
print(os.listdir('/board'), open('/board/config.json').read())
"""
    assert ask(program, text, "200k") == ["['config.json'] {}"]


def test_a_tls_context_takes_little_of_the_heap_as_on_a_board(program):
    assert 0 < context_bytes(program) < 4096


def context_bytes(program):
    text = """
import gc, tls
gc.collect()
before = gc.mem_alloc()
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
gc.collect()
print(gc.mem_alloc() - before)
"""
    return int(ask(program, text)[0])


def test_our_modules_are_frozen_in_one_of_the_two():
    text = """
import sys
sys.path[:] = ['.frozen']
try:
    from firmware.protocols import modbus
    from firmware.uplink import codec
    from firmware.console import commands
    print(modbus.__file__, sys.modules['umqtt.simple'].__file__)
except ImportError:
    print('none')
"""
    assert ask(twin(), text) == ["none"]
    assert ask(twin(frozen=True), text) == ["firmware/protocols/modbus.py umqtt/simple.py"]


def test_simulated_ports_are_frozen_where_only_their_own_path_leads(program):
    names = sorted(path.stem for path in (ROOT / "tests/sim/ports").glob("*.py"))
    text = f"import sys; sys.path[:] = ['.frozen/simulated', '.frozen']; import {', '.join(names)}"
    for name in names:
        assert ask(program, f"{text}; print({name}.__file__)") == [f"simulated/{name}.py"]


# -- the whole way ------------------------------------------------------------------------------------------------


def a_fifth_above(metric, otherwise, program):
    """Bytes of heap: a figure of build/bench.json (else otherwise), a fifth more, and the TLS context."""
    try:
        needed = int(json.loads(_BENCH.read_text())[metric]["value"])
    except (OSError, KeyError):
        needed = otherwise
    return needed * 12 // 10 + context_bytes(program)


def test_the_whole_way_in_a_heap_a_fifth_above_what_it_needs(gateway, broker, receiver, tmp_path):
    heap = a_fifth_above("heap.needed_mpy_bytes", _NEEDED_MPY_BYTES, twin())
    root = board_root(tmp_path / "root")
    unit = gateway(config(THREE, [uplink(broker.port)]), program=twin(), heap=heap, root=root)
    check_whole_way(unit, broker, receiver)


def test_the_whole_way_with_frozen_modules_in_a_heap_a_fifth_above_what_it_needs(gateway, broker, receiver):
    heap = a_fifth_above("heap.needed_frozen_bytes", _NEEDED_FROZEN_BYTES, twin(frozen=True))
    unit = gateway(config(THREE, [uplink(broker.port)]), program=twin(frozen=True), heap=heap, root=ROOT)
    check_whole_way(unit, broker, receiver)


def check_whole_way(unit, broker, receiver):
    """Readings of each meter arrive as stored, through a second session too, and nothing crashes for want of memory."""
    wait_for(lambda: len(receiver.latest) == len(METERS), 20, "readings of three meters")
    broker.kill()
    before = read_image(unit.ring)[1][-1][0]
    wait_for(lambda: read_image(unit.ring)[1][-1][0] > before + 6, 15, "readings while the broker is down")
    broker.start()
    drained(unit, receiver, 40)
    status = answer(unit, "status")
    assert "centre: connected" in status and "lost 0" in status
    assert "crashed" not in status and "MemoryError" not in unit.console()
