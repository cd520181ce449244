# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Actors of Ray that are killed while a run waits for them, or for those who wait for them; no training."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import ray

from verl_sdpo.trainer import rollout_death
from verl_sdpo.trainer.rollout_death import RolloutDeaths, RolloutDiedError, death_among

pytestmark = pytest.mark.e2e


def actor_classes() -> tuple[type, type]:
    """Made here so that their processes need not load verl."""

    class Server:
        def __init__(self):
            self.is_dead = False

        def pid(self):
            return os.getpid()

        def lose_engine(self):
            self.is_dead = True

        async def check_engine(self):
            if self.is_dead:
                raise RuntimeError("the engine's process has ended")

    class Rank:
        def update_weights(self):
            time.sleep(10_000)

    return ray.remote(num_cpus=0)(Server), ray.remote(num_cpus=0)(Rank)


@pytest.fixture(scope="module")
def classes():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        yield actor_classes()
    finally:
        ray.shutdown()


def test_a_killed_process_and_a_lost_engine_are_told_apart(classes):
    server, _ = classes
    killed, other = server.remote(), server.remote()
    makers = [("a rollout server", other), ("an agent loop worker", killed)]
    pid = ray.get(killed.pid.remote())
    assert death_among(makers) is None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (death := death_among(makers)) is None:
        assert time.monotonic() < deadline
    assert death.startswith("an agent loop worker died: The actor died unexpectedly")
    assert f"pid: {pid}" in death
    ray.get(other.lose_engine.remote())
    assert death_among(makers[:1]) == (
        "a rollout server has lost its engine: RuntimeError: the engine's process has ended"
    )


class Verl:
    """A trainer whose rank hands weights to a server without an end."""

    def __init__(self, server, rank):
        self.server, self.actor_rollout_wg = server, SimpleNamespace(workers=[rank])

    def _rollout_server_managers(self):
        return [SimpleNamespace(get_replicas=lambda: [SimpleNamespace(servers=[self.server])])]

    def fit(self):
        threading.Timer(1.0, lambda: ray.get(self.server.lose_engine.remote())).start()
        return ray.get(self.actor_rollout_wg.workers[0].update_weights.remote())


class Trainer(RolloutDeaths, Verl):
    pass


def test_a_rank_that_waits_for_a_dead_engine_keeps_nobody_waiting(classes, monkeypatch):
    monkeypatch.setattr(rollout_death, "LOOK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(rollout_death, "GRACE_SECONDS", 1.0)
    server, rank = classes
    began = time.monotonic()
    with pytest.raises(RolloutDiedError, match="^a rollout server has lost its engine: ") as ended:
        Trainer(server.remote(), rank.remote()).fit()
    assert time.monotonic() - began < 40
    assert "ray.kill" in str(ended.value.__cause__)
