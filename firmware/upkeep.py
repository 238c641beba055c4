"""Keeps the flash ready: blocks are erased ahead at quiet moments, cursors written down when they are due."""

import asyncio

from micropython import const

# An erase of a flash with some years' use, and some more; for how long it is put off while slots come.
ERASE_MS = const(100)
ERASE_WAIT_MS = const(5000)
# For how long each line is asked for a pause at most.
_PAUSE_S = const(5)


class Upkeep:
    """Upkeep(log, quiet, tell, overwritten): tell(members) stores an event; overwritten() is called when records of the log
    were given up. progress grows with each look."""

    def __init__(self, log, quiet, tell, overwritten):
        self.progress = 0
        self._log = log
        self._quiet = quiet
        self._tell = tell
        self._overwritten = overwritten
        self._n_told = [len(ring.blocks.retired) for ring in log.rings()]

    def erase_first(self):
        """Before lines are asked and anything waits: erase what should be erased ahead."""
        for ring in self._log.rings():
            try:
                while ring.needs_erase:
                    ring.prepare()
            except OSError:
                # It is retired; the next one is taken while it runs.
                continue

    async def run_upkeep(self):
        while True:
            await self.look()
            await asyncio.sleep(1)

    async def look(self):
        """Do what is to be done now, and tell of blocks that have failed since the last look."""
        self.progress += 1
        for i, ring in enumerate(self._log.rings()):
            if ring.needs_erase:
                await self._erase_ahead(ring)
            n_retired = len(ring.blocks.retired)
            if n_retired > self._n_told[i]:
                self._n_told[i] = n_retired
                self._tell('"event":"flash_failed","region":"%s","retired":%d' % ("days" if i else "ring", n_retired))
        self._log.save_cursors()

    async def _erase_ahead(self, ring):
        """Erase a ring's next block at a moment when nobody minds; for the last one all lines are asked for a pause."""
        lines = ()
        if ring.spares:
            await self._quiet.wait(ERASE_MS, ERASE_WAIT_MS)
            if not self._quiet.is_quiet(ERASE_MS):
                return
        else:
            lines = await self._quiet.pause(_PAUSE_S)
        try:
            ring.prepare()
        except OSError:
            # It is counted and retired; the one behind it is next.
            return
        finally:
            self._quiet.resume(lines)
        if ring is self._log.ring:
            self._overwritten()
