"""Virtual `esp32`: the ring's partition on a simulated NOR flash, which whoever builds the world sets as `flash`."""

from tests.sim import world as _world
from tests.sim.flash import Cut

flash = None


class Partition:
    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        return [Partition()] if label == "ring" and flash else []

    def readblocks(self, block, buf, offset=0):
        self._do(flash.readblocks, block, buf, offset)

    def writeblocks(self, block, buf, offset=None):
        self._do(flash.writeblocks, block, buf, offset)

    def ioctl(self, operation, argument):
        return self._do(flash.ioctl, operation, argument)

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
