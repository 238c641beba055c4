"""Virtual `select`: poll over virtual sockets and the console. Waiting moves virtual time."""

from tests.sim import world as _world

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16

_POLL = 3
_FOREVER_US = _world.FOREVER_US
_TURN_US = _world.TURN_US


class Poll:
    """As select.poll; what is registered has ioctl(3, mask) -> mask of what is ready, as MicroPython's streams have."""

    def __init__(self):
        self._entries = []

    def register(self, thing, mask=POLLIN | POLLOUT):
        _world.current.stirred = True
        for entry in self._entries:
            if entry[0] is thing:
                entry[1] = mask
                return
        self._entries.append([thing, mask])

    def modify(self, thing, mask):
        _world.current.stirred = True
        for entry in self._entries:
            if entry[0] is thing:
                entry[1] = mask
                return
        raise OSError(2)

    def unregister(self, thing):
        for i in range(len(self._entries)):
            if self._entries[i][0] is thing:
                del self._entries[i]
                return

    def _ready(self):
        found = ()
        for thing, mask in self._entries:
            events = thing.ioctl(_POLL, mask)
            if events:
                found += ((thing, events),)
        return found

    def ipoll(self, timeout_ms=-1, flags=0):
        """One turn of the loop: (thing, events) of all that is ready, after at most timeout_ms."""
        world = _world.current
        # As world.spend: without a call, since this is the most frequent one of all.
        now_us = world.now_us + _TURN_US
        if now_us < world.due_us:
            world.now_us = now_us
        else:
            world.run_until(now_us)
        if world.stirred:
            found = self._ready()
            if found:
                return found
            world.stirred = False
        if timeout_ms == 0:
            return ()
        return world.wait(_FOREVER_US if timeout_ms < 0 else world.now_us + timeout_ms * 1000, self._ready)

    def poll(self, timeout_ms=-1):
        return list(self.ipoll(timeout_ms))


def poll():
    return Poll()
