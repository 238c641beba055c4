"""Gives back the heap of modules that are not needed any more."""

import gc
import sys

# What only the making of configuration and meters needs: a quarter of the code, some 35 KB of heap as .mpy files.
START_ONLY = (
    "firmware.plan",
    "firmware.config",
    "firmware.forms",
    "firmware.kept",
    "firmware.strictjson",
    "firmware.posixtz",
    "firmware.meters.profiles",
    "firmware.meters.equip",
    "firmware.meters.equip_dlt645",
    "firmware.meters.equip_cjt188",
    "firmware.meters.own",
    "firmware.meters.points",
    "umodbus",
)


def unload(*names):
    """Forget these modules, and those within them. What is imported again later is loaded anew."""
    for loaded in list(sys.modules):
        for name in names:
            if loaded == name or loaded.startswith(name + "."):
                del sys.modules[loaded]
                package, _, last = loaded.rpartition(".")
                # Their package knows them too.
                if package in sys.modules and hasattr(sys.modules[package], last):
                    delattr(sys.modules[package], last)
                break
    gc.collect()
