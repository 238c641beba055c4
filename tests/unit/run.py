"""Runs the unit tests on MicroPython: micropython tests/unit/run.py [test_module ..]

A test is a function called test_.. in a module tests/unit/test_*.py, with asserts; CPython runs the same by pytest.
The exit status is 1 if one failed, or if there was none.
"""

import gc
import os
import sys


def _root():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    here = os.getcwd()
    os.chdir(folder + "/../..")
    root = os.getcwd()
    os.chdir(here)
    return root


def _run(name):
    """(passed, failed) of one module."""
    module = __import__(name)
    passed = failed = 0
    for test in sorted(dir(module)):
        if not test.startswith("test_"):
            continue
        try:
            getattr(module, test)()
            passed += 1
        except Exception as error:
            failed += 1
            print("FAILED %s.%s" % (name, test))
            sys.print_exception(error)
        # Or what one test held of the heap stands, in pieces, in the way of the next one's flash.
        gc.collect()
    return passed, failed


def main(names):
    root = _root()
    sys.path[:] = ["", ".frozen", root + "/tests/unit", root, root + "/lib", root + "/tests/sim/ports"]
    if not names:
        names = sorted(n[:-3] for n in os.listdir(root + "/tests/unit") if n.startswith("test_") and n.endswith(".py"))
    passed = failed = 0
    for name in names:
        good, bad = _run(name)
        passed += good
        failed += bad
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


# An assert that is compiled away is a test that cannot fail.
try:
    assert False  # noqa: B011
except AssertionError:
    sys.exit(main(sys.argv[1:]))
print("asserts are switched off")
sys.exit(1)
