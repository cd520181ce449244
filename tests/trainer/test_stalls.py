# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The watchdog in a trainer: what it says of phases, and of workers that can and cannot be asked."""

import inspect
import time
from types import SimpleNamespace

import pytest
from verl.trainer.ppo.v1 import PPOTrainer

from verl_sdpo.trainer import stalls
from verl_sdpo.trainer.stalls import PHASES, Stalls, described, look_at_workers
from verl_sdpo.watch.watchdog import Watchdog

ANSWER = {"worker": "worker 1", "idle_seconds": 50.0, "sessions": [("u1", 0, "generation", 50.0)]}


def test_every_phase_is_a_method_of_verls_and_ours_takes_and_returns_the_same():
    assert {name for name in PHASES if not inspect.isfunction(getattr(PPOTrainer, name, None))} == set()

    class Verl:
        def _update_actor(self, batch, metrics):
            return batch, metrics, self.watchdog._phase[0]

    class Trainer(Stalls, Verl):
        watchdog = Watchdog(45.0, None)

    trainer = Trainer()
    assert trainer._update_actor(1, metrics=2) == (1, 2, PHASES["_update_actor"])
    assert trainer.watchdog._phase is None


def test_sessions_are_named_the_oldest_first_and_the_rest_counted():
    slow = [(f"u{number}", number % 2, "reward", 100.0 - number) for number in range(9)]
    lines = described([ANSWER, {"worker": "worker 2", "idle_seconds": 91.0, "sessions": slow}])
    assert lines[0] == "uid u0, session 0: waits for reward for 100 s (worker 2)"
    assert len(lines) == stalls.MOST_SESSIONS + 1
    assert lines[-1] == "and 2 more sessions"
    assert "no session" in described([])[0]


class Handle:
    """A Ray actor whose method answers, raises or does neither."""

    def __init__(self, answer):
        self.waiting = SimpleNamespace(remote=lambda: answer)


@pytest.fixture
def ray(monkeypatch):
    def get(answer):
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(references, num_returns, timeout):
        return [each for each in references if each != "silent"], ["silent"]

    monkeypatch.setattr(stalls, "ray", SimpleNamespace(get=get, wait=wait))


class Answer(dict):
    __hash__ = object.__hash__


def test_a_worker_that_is_silent_or_dead_is_named_beside_those_that_answer(ray):
    workers = [Handle(Answer(ANSWER)), Handle("silent"), Handle(RuntimeError("it died"))]
    seconds, lines = look_at_workers(workers)
    assert seconds == 50.0
    assert "does not answer within 8 s" in lines[0]
    assert "it died" in lines[1]
    assert lines[2:] == ["uid u1, session 0: waits for generation for 50 s (worker 1)"]


def test_workers_of_another_class_are_said_to_be_mute(ray):
    assert look_at_workers([object()])[0] == float("inf")
    assert "cannot be asked" in look_at_workers([])[1][0]


def test_sampling_is_looked_at_where_it_happens(ray):
    said = []

    class Verl:
        agent_loop_manager = SimpleNamespace(agent_loop_workers=[Handle(Answer(ANSWER))])

        def _build_replay_buffer(self):
            return SimpleNamespace(sample=self._wait)

        def _wait(self, batch_size):
            while not said:
                time.sleep(0.01)
            return batch_size

    class Trainer(Stalls, Verl):
        watchdog = Watchdog(0.1, said.append)

    trainer = Trainer()
    trainer.watchdog.start()
    assert trainer._build_replay_buffer().sample(batch_size=4) == 4
    assert said[0].splitlines()[0].endswith("in: rollouts")
    assert "uid u1, session 0: waits for generation for 50 s (worker 1)" in said[0]
