"""silence: when a meter that does not answer is asked again."""

from firmware.meters.silence import Silence

_NO_REPLY = "no reply"


def _probes(every_s, n):
    """The slots, counted, at which a meter that never answers is asked."""
    silence = Silence()
    found = []
    for i in range(n):
        if silence.is_due(0, i * every_s, every_s):
            found.append(i)
            silence.missed(0, i * every_s, every_s, _NO_REPLY, False)
    return found


def test_a_meter_that_answers_is_not_known_here():
    silence = Silence()
    assert not silence.is_silent(3) and silence.is_due(3, 100, 60) and silence.rest_s(3, 100) == 0
    silence.heard(3)


def test_probes_are_further_and_further_apart_up_to_a_quarter_of_an_hour():
    assert _probes(1, 3000) == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1923, 2823]
    assert _probes(300, 12) == [0, 1, 3, 6, 9]
    assert _probes(900, 5) == _probes(3600, 5) == [0, 1, 2, 3, 4]


def test_an_answer_ends_it():
    silence = Silence()
    for _ in range(5):
        silence.missed(0, 0, 60, _NO_REPLY, False)
    assert silence.is_silent(0) and silence.rest_s(0, 100) == 800 and silence.cause(0) == _NO_REPLY
    silence.heard(0)
    assert not silence.is_silent(0) and silence.is_due(0, 60, 60)


def test_garbage_is_silence_from_the_third_time_on():
    silence = Silence()
    for n in range(3):
        assert not silence.is_silent(0)
        silence.missed(0, 60 * n, 60, "bad frame", True)
    assert silence.is_silent(0) and silence.cause(0) == "bad frame"
    # It may change.
    silence.missed(0, 180, 60, _NO_REPLY, False)
    assert silence.cause(0) == _NO_REPLY


def test_garbage_is_asked_again_after_two_minutes_at_most():
    # A line that was shorted is read again soon after somebody has parted the wires.
    silence = Silence()
    for i in range(20):
        silence.missed(0, 60 * i, 60, "bad frame", True)
    assert silence.rest_s(0, 60 * 19) == 120


def test_a_clock_that_was_set_back_does_not_put_a_probe_off():
    silence = Silence()
    for _ in range(8):
        silence.missed(0, 100000, 60, _NO_REPLY, False)
    assert not silence.is_due(0, 100060, 60)
    assert silence.is_due(0, 90000, 60)


def test_the_level_has_an_end():
    silence = Silence()
    for i in range(2000):
        silence.missed(0, i, 86400, _NO_REPLY, False)
    assert silence.rest_s(0, 1999) == 86400
