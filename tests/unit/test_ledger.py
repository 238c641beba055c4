"""ledger: counts by name, reply times, and what is left out."""

from firmware.bus import ledger


def test_a_new_ledger_says_nothing():
    counts = ledger.new()
    assert ledger.counted(counts) == [] and ledger.reply_ms(counts) is None


def test_counts_have_the_names_of_their_places():
    counts = ledger.new()
    names = ledger.NAMES.split()
    for place, name in (
        (ledger.REQUESTS, "requests"),
        (ledger.REPLIES, "replies"),
        (ledger.NO_REPLY, "no_reply"),
        (ledger.BAD_CHECKSUM, "bad_checksum"),
        (ledger.WRONG_METER, "wrong_meter"),
        (ledger.BAD_FRAME, "bad_frame"),
        (ledger.REFUSED, "refused"),
        (ledger.NOISE_BYTES, "noise_bytes"),
        (ledger.LATE_REPLIES, "late_replies"),
        (ledger.RETRIES, "retries"),
        (ledger.BAD_DATA, "bad_data"),
        (ledger.READINGS, "readings"),
    ):
        assert names[place] == name
        counts[place] += place + 1
    assert ledger.counted(counts) == [(name, i + 1) for i, name in enumerate(names)]
    assert len(names) == ledger.LEAST_MS


def test_reply_times_are_least_mean_and_most():
    counts = ledger.new()
    for delay_ms in (20, 0, 40):
        ledger.replied(counts, delay_ms, 1795348800 + delay_ms)
    assert ledger.reply_ms(counts) == (0, 20, 40)
    assert counts[ledger.LAST_GOOD_S] == 1795348840 and counts[ledger.REPLIES] == 3


def test_years_of_replies_do_not_run_over():
    counts = ledger.new()
    for _ in range(3000):
        ledger.replied(counts, 1000000, 1795348800)
    assert ledger.reply_ms(counts) == (1000000, 1000000, 1000000)
    for _ in range(3000):
        ledger.replied(counts, 0, 1795348800)
    # The mean forgets.
    assert ledger.reply_ms(counts)[1] < 500000
    counts[ledger.REQUESTS] = 0xFFFFFFFE
    counts[ledger.REQUESTS] += 1
    assert ledger.counted(counts)[0] == ("requests", 0xFFFFFFFF)


def test_a_kept_ledger_stays_as_it_was():
    counts = ledger.new()
    kept = ledger.kept(counts)
    counts[ledger.REQUESTS] += 1
    assert ledger.counted(kept) == [] and ledger.counted(counts) == [("requests", 1)]
