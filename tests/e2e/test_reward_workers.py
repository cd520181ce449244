# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Reward workers in Ray that end themselves as a kill or a lack of memory would end them; no training."""

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray

from verl_sdpo.rollout import reward_workers
from verl_sdpo.rollout.reward_workers import RETRIES, RestartingRewardManager, is_process_death

pytestmark = pytest.mark.e2e

# verl's has over 100 KB, from which on Ray hands arguments over in another way.
CONFIG_BYTES = 300_000


def worker_class() -> type:
    """In place of verl's: dies, fails or answers as it is asked. Made here so that its process need not load verl."""

    class RewardLoopWorker:
        def __init__(self, config, reward_router_address=None):
            self.folder = Path(config.folder)

        async def compute_score(self, data):
            kind, name = data
            if kind == "raise":
                raise ValueError("a broken row")
            attempts = self.folder / name
            with attempts.open("a") as file:
                file.write("x")
            # What else this worker has at hand has begun by then.
            await asyncio.sleep(0.2)
            if kind == "deadly" or (kind == "once" and attempts.stat().st_size == 1):
                os.kill(os.getpid(), signal.SIGKILL)
            return {"reward_score": 1.0, "reward_extra_info": {}}

    return RewardLoopWorker


@pytest.fixture
def worker(monkeypatch, tmp_path):
    monkeypatch.setattr(reward_workers, "RewardLoopWorker", worker_class())
    reward = SimpleNamespace(
        num_workers=1,
        reward_model=SimpleNamespace(enable=False),
        reward_manager=SimpleNamespace(source="register", name="naive"),
    )
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        config = SimpleNamespace(reward=reward, folder=str(tmp_path), rest="x" * CONFIG_BYTES)
        manager = RestartingRewardManager(config=config)
        [handle] = manager.reward_loop_worker_handles
        yield handle
    finally:
        ray.shutdown()


def test_what_a_dead_worker_had_at_hand_is_scored_by_the_next_one(worker, tmp_path):
    async def ask(*calls):
        return await asyncio.gather(*[worker.compute_score.remote(call) for call in calls], return_exceptions=True)

    answers = asyncio.run(ask(("once", "first"), ("fine", "second")))
    assert [answer["reward_score"] for answer in answers] == [1.0, 1.0]
    assert (tmp_path / "first").stat().st_size == 2

    # One that is deadly each time comes to an end, as a death; a later one is scored.
    [error] = asyncio.run(ask(("deadly", "third")))
    assert is_process_death(error)
    assert (tmp_path / "third").stat().st_size == 1 + RETRIES
    [error] = asyncio.run(ask(("raise", "")))
    assert isinstance(error, ValueError)
    assert not is_process_death(error)
    [answer] = asyncio.run(ask(("fine", "fourth")))
    assert answer["reward_score"] == 1.0
