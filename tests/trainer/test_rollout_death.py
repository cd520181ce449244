# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run whose rollout server, engine or agent loop worker dies ends with its name, whatever it waits for.

`tests/e2e/test_rollout_death.py` kills the processes of whole runs.
"""

import threading
import time
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError, RayTaskError

from verl_sdpo.trainer import rollout_death
from verl_sdpo.trainer.rollout_death import RolloutDeaths, RolloutDiedError, death_among

NO_ENGINE = RayTaskError("check_engine", "Traceback (most recent call last):\nEngineDeadError: it ended", ValueError())


class Actor:
    """A handle whose question is answered, raises, or stays without an answer ("silent")."""

    def __init__(self, answer=None, has_engine=False):
        self.answer = answer
        question = SimpleNamespace(remote=lambda: self)
        if has_engine:
            self.check_engine = question
        else:
            self.__ray_ready__ = question


@pytest.fixture(autouse=True)
def ray(monkeypatch):
    """Ray, of which `killed` are the actors that were killed."""

    def wait(references, num_returns, timeout):
        return [each for each in references if each.answer != "silent"], []

    def get(reference):
        if isinstance(reference.answer, Exception):
            raise reference.answer
        return reference.answer

    stand_in = SimpleNamespace(wait=wait, get=get, killed=[])
    stand_in.kill = lambda actor: (stand_in.killed.append(actor), actor.set())
    monkeypatch.setattr(rollout_death, "ray", stand_in)
    monkeypatch.setattr(rollout_death, "LOOK_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(rollout_death, "GRACE_SECONDS", 0.5)
    return stand_in


def test_the_living_and_the_busy_are_not_dead():
    makers = [("a rollout server", Actor(has_engine=True)), ("an agent loop worker", Actor("silent"))]
    assert death_among(makers) is None
    assert death_among([]) is None


@pytest.mark.parametrize(
    ("what", "actor", "told"),
    [
        (
            "a rollout server",
            Actor(NO_ENGINE, has_engine=True),
            "a rollout server has lost its engine: EngineDeadError",
        ),
        ("a rollout server", Actor(ActorDiedError(), has_engine=True), "a rollout server died: The actor died"),
        ("an agent loop worker", Actor(ActorDiedError()), "an agent loop worker died: The actor died"),
    ],
)
def test_the_dead_are_named(what, actor, told):
    assert death_among([("a rollout server", Actor()), (what, actor)]).startswith(told)


class Verl:
    """verl's trainer: its `fit` runs what a test wants with a replay buffer that waits."""

    def __init__(self, run):
        self.run = run
        self.server = Actor(has_engine=True)
        self.agent_loop_manager = SimpleNamespace(agent_loop_workers=[Actor()])
        self.actor_rollout_wg = SimpleNamespace(workers=[threading.Event()])
        replica = SimpleNamespace(servers=[self.server])
        self.managers = [SimpleNamespace(get_replicas=lambda: [replica])]
        self.is_served = False

    def _rollout_server_managers(self):
        return self.managers

    def _build_replay_buffer(self):
        buffer = SimpleNamespace(_wait_for_next_poll=lambda partition, last: time.sleep(0.01))

        def sample(**_):
            deadline = time.monotonic() + 20
            while not self.is_served:
                assert time.monotonic() < deadline
                buffer._wait_for_next_poll("train", 0.0)
            return "batch"

        buffer.sample = sample
        return buffer

    def fit(self, agent_loop_manager):
        return self.run(self)


class Trainer(RolloutDeaths, Verl):
    pass


def waits_for_samples(trainer):
    trainer.server.answer = NO_ENGINE
    return trainer._build_replay_buffer().sample(batch_size=1)


def waits_for_the_ranks(trainer):
    trainer.server.answer = NO_ENGINE
    assert trainer.actor_rollout_wg.workers[0].wait(20)
    raise RuntimeError("The actor is dead because it was killed by `ray.kill`")


def ends_before_anybody_looked(trainer):
    trainer.server.answer = NO_ENGINE
    raise RuntimeError("terminal groups with no materializable trajectories")


def gets_a_part_of_its_samples(trainer):
    buffer = trainer._build_replay_buffer()
    trainer.server.answer = NO_ENGINE
    trainer.is_served = True
    for _ in range(1000):
        buffer.sample(batch_size=1)
        time.sleep(0.02)


@pytest.mark.parametrize(
    "run", [waits_for_samples, waits_for_the_ranks, ends_before_anybody_looked, gets_a_part_of_its_samples]
)
def test_a_run_ends_with_the_death_that_it_waits_for_or_ends_by(run, ray):
    trainer = Trainer(run)
    with pytest.raises(
        RolloutDiedError, match="^a rollout server has lost its engine: EngineDeadError: it ended"
    ) as ended:
        trainer.fit(None)
    assert "trainer.resume_mode=auto" in str(ended.value)
    assert ended.value.__cause__ is not None
    assert ray.killed == (trainer.actor_rollout_wg.workers if run is waits_for_the_ranks else [])


def test_other_errors_stay_what_they_are_and_nobody_looks_after_the_end(ray):
    def raises(trainer):
        raise KeyError("something else")

    trainer = Trainer(raises)
    with pytest.raises(KeyError, match="something else"):
        trainer.fit(None)
    assert Trainer(lambda trainer: "fitted").fit(None) == "fitted"
    trainer.server.answer = NO_ENGINE
    time.sleep(0.3)
    assert trainer._death is None
    assert ray.killed == []
