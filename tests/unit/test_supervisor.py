"""The supervisor: a task that dies is run again and counted; the watchdog is fed only while everything moves."""

import asyncio

from firmware.supervisor import Supervisor


def test_a_task_that_dies_is_counted_reported_and_run_again():
    told = []
    runs = []
    watch = Supervisor(lambda *crash: told.append(crash))

    async def run():
        runs.append(1)
        if len(runs) < 2:
            raise ValueError("why")

    async def main():
        watch.start("task", run)
        await asyncio.sleep_ms(1300)

    asyncio.run(main())
    assert len(runs) == 2
    assert watch.crashes == {"task": 1}
    assert told == [("task", 1, watch.last_crash)] and "ValueError: why" in watch.last_crash


def test_a_part_that_stops_moving_starves_the_watchdog():
    watch = Supervisor(lambda *crash: None)
    count = [0]
    watch.watch("part", lambda: count[0])
    assert watch.all_move()
    watch.uptime_s = 179
    assert watch.all_move()
    watch.uptime_s += 1
    assert not watch.all_move()
    count[0] = 1
    assert watch.all_move()


def test_a_part_that_crashes_is_not_stuck():
    watch = Supervisor(lambda *crash: None)
    watch.watch("part", lambda: 0)
    watch.all_move()
    watch.uptime_s = 200
    watch.crashes["part"] = 1
    assert watch.all_move()
    watch.uptime_s = 400
    assert not watch.all_move()


def test_a_task_that_dies_again_and_again_is_told_once_an_hour():
    told = []
    watch = Supervisor(lambda name, n, text: told.append((name, n)))
    for uptime_s in (0, 60, 3599, 3600, 3700):
        watch.uptime_s = uptime_s
        watch._note("task", ValueError("why"))
    watch._note("other", ValueError("why"))
    assert told == [("task", 1), ("task", 4), ("other", 1)]
    assert watch.crashes == {"task": 5, "other": 1}


def test_a_task_is_started_again_although_nothing_can_be_told_of_its_crash():
    def no_memory(*_):
        raise MemoryError

    watch = Supervisor(no_memory)
    watch._note("task", ValueError("why"))
    assert watch.crashes == {"task": 1}
    assert watch.last_crash == "task"
