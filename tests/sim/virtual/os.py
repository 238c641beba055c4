"""Virtual `os`: the port's own, but urandom is seeded."""

from uos import *  # noqa: F403

from tests.sim import world as _world


def urandom(n):
    return _world.current.random.bytes(n)
