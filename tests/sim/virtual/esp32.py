"""Virtual `esp32`: partitions on simulated NOR flashes, which whoever builds the world puts into `flashes`."""

from tests.sim import world as _world
from tests.sim.flash import Cut

# By label.
flashes = {}


class Partition:
    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        return [Partition(flashes[label])] if label in flashes else []

    def __init__(self, flash):
        self._flash = flash

    def readblocks(self, block, buf, offset=0):
        self._do(self._flash.readblocks, block, buf, offset)

    def writeblocks(self, block, buf, offset=None):
        self._do(self._flash.writeblocks, block, buf, offset)

    def ioctl(self, operation, argument):
        return self._do(self._flash.ioctl, operation, argument)

    @staticmethod
    def _do(function, *args):
        world = _world.current
        world.spend(_world.PORT_US)
        try:
            return function(*args)
        except Cut as cut:
            # In the middle of a program or an erase, by the flash's own plan: now the whole board is off.
            if world.off is None:
                world.go_off(cut)
            raise
