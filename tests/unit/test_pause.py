"""pause: how long the line is silent before it turns to another meter."""

from firmware.bus.pause import Pause


def _asked(pause, meter, *ends):
    """The pauses of a meter's exchanges, which end well or not."""
    found = []
    for is_good in ends:
        found.append(pause.turn(meter))
        pause.ended(is_good)
    return found


def test_a_pause_is_for_changes_only():
    pause = Pause(50)
    assert _asked(pause, "a", True, True) == [50, 0]
    assert _asked(pause, "b", True) == [50] and _asked(pause, "a", True) == [50]
    assert not pause.is_raised


def test_it_is_raised_where_only_repeats_are_answered_after_a_change():
    pause = Pause(0)
    seen = []
    for _ in range(60):
        for meter in "ab":
            seen += _asked(pause, meter, False, True)[:1]
    assert pause.is_raised
    assert seen == sorted(seen) and set(seen) == {0, 20, 40, 80, 160, 320, 400}
    # Eight changes to a meter each; two meters' count at the same time.
    assert seen[:16] == [0] * 15 + [20] or seen[:16] == [0] * 16
    assert seen.count(20) == 15


def test_it_grows_from_what_is_configured():
    pause = Pause(70)
    for _ in range(7):
        _asked(pause, "a", False, True)
        _asked(pause, "b", True)
    assert pause.ms == 70
    _asked(pause, "a", False, True)
    assert pause.ms == 140 and pause.is_raised


def test_once_answered_at_once_a_meter_counts_anew_and_a_repeat_elsewhere_ends_all_counts():
    for between in (("a", True), ("b", True, False, True)):
        for n, ms in ((14, 0), (15, 20)):
            pause = Pause(0)
            for i in range(n):
                _asked(pause, "a", False, True)
                _asked(pause, "b", True)
                if i == 6:
                    _asked(pause, *between)
                    _asked(pause, "c", True)
            assert pause.ms == ms


def test_dead_meters_do_not_raise_it():
    pause = Pause(0)
    for _ in range(200):
        _asked(pause, "dead", False, False, False)
        _asked(pause, "good", True)
    assert pause.ms == 0


def test_noise_everywhere_does_not_raise_it():
    # Every fifth exchange fails, whatever it is.
    pause = Pause(0)
    n = 0
    for turn in range(3000):
        meter = "abcdefgh"[turn % 8]
        for _ in range(2):
            while True:
                n += 1
                is_good = (n * 7919 >> 3) % 5 != 0
                pause.turn(meter)
                pause.ended(is_good)
                if is_good:
                    break
    assert pause.ms == 0


def test_now_and_then_a_failure_does_not_raise_it():
    pause = Pause(0)
    for i in range(1000):
        _asked(pause, i % 8 + 1, *((False, True) if i % 6 == 0 else (True,)))
    assert pause.ms == 0
