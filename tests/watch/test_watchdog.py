# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What is said about a run that waits, by a clock that the test turns."""

import threading
import time

import pytest

from verl_sdpo.watch.watchdog import Watchdog


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def watchdog(clock, said):
    return Watchdog(45.0, said.append, clock)


def test_a_phase_that_lasts_is_named_when_it_is_time_and_at_each_doubling(watchdog, clock, said):
    with watchdog.phase("update"):
        when = []
        for _ in range(400):
            clock.now += 1
            before = len(said)
            watchdog.check()
            when += [clock.now - 1000] * (len(said) - before)
    assert when == [45, 90, 180, 360]
    assert said[0] == "no progress for 45 s in: update"


def test_outside_of_phases_and_in_a_new_one_nothing_is_said(watchdog, clock, said):
    for _ in range(10):
        with watchdog.phase("update"):
            clock.now += 40
            watchdog.check()
        clock.now += 100
        watchdog.check()
    assert said == []


def test_the_outer_phase_begins_anew_after_the_inner_one(watchdog, clock, said):
    with watchdog.phase("validation"):
        clock.now += 40
        with watchdog.phase("rollouts", lambda: (40.0, ["one"])):
            clock.now += 44
            watchdog.check()
        clock.now += 44
        watchdog.check()
        assert said == []
        clock.now += 1
        watchdog.check()
    assert said == ["no progress for 45 s in: validation"]


def test_a_phase_that_says_it_goes_on_is_left_alone_and_asked_when_it_is_due(watchdog, clock, said):
    idle, asked = [0.0], []

    def look():
        asked.append(clock.now - 1000)
        return idle[0], ["uid a waits", "uid b waits"]

    with watchdog.phase("rollouts", look):
        assert watchdog.check() == 45.0
        clock.now += 44
        watchdog.check()
        assert asked == []
        clock.now += 6
        idle[0] = 20.0
        assert watchdog.check() == 25.0
        clock.now += 25
        idle[0] = 45.0
        watchdog.check()
        assert said == ["no progress for 45 s in: rollouts\n  uid a waits\n  uid b waits"]
        # It goes on, and stops again.
        idle[0] = 0.0
        clock.now += 60
        watchdog.check()
        idle[0] = 50.0
        clock.now += 50
        watchdog.check()
    assert len(said) == 2


def test_the_thread_says_it_in_time():
    said, told = [], threading.Event()
    watchdog = Watchdog(0.2, lambda text: (said.append(text), told.set()))
    watchdog.start()
    began = time.monotonic()
    with watchdog.phase("update"):
        assert told.wait(10)
    assert time.monotonic() - began >= 0.2
    assert said[0].endswith("in: update")
