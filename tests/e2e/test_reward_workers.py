# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Reward workers in Ray that end themselves as a kill or a lack of memory would end them; no training."""

import asyncio
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput

from verl_sdpo.rollout import reward_workers
from verl_sdpo.rollout.reward_calls import answered
from verl_sdpo.rollout.reward_workers import RETRIES, RestartingRewardManager, RewardWorkerError, is_process_death
from verl_sdpo.watch.verdicts import VerdictLimits, VerdictWatch, judged

pytestmark = pytest.mark.e2e

# verl's has over 100 KB, from which on Ray hands arguments over in another way.
CONFIG_BYTES = 300_000


def worker_class() -> type:
    """In place of verl's: dies, fails or answers as it is asked. Made here so that its process need not load verl."""

    class RewardLoopWorker:
        def __init__(self, config, reward_router_address=None):
            self.folder = Path(config.folder)
            if (self.folder / "missing").exists():
                raise ModuleNotFoundError("No module named 'my_tools'")

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
def manager(monkeypatch, tmp_path):
    monkeypatch.setattr(reward_workers, "RewardLoopWorker", worker_class())
    reward = SimpleNamespace(
        num_workers=1,
        reward_model=SimpleNamespace(enable=False),
        reward_manager=SimpleNamespace(source="register", name="naive"),
    )
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        yield RestartingRewardManager(
            config=SimpleNamespace(reward=reward, folder=str(tmp_path), rest="x" * CONFIG_BYTES)
        )
    finally:
        ray.shutdown()


def ask(manager, *calls):
    """What the worker answers to all of them at once, or how each ended."""

    async def ask_all():
        [worker] = manager.reward_loop_worker_handles
        return await asyncio.gather(*[worker.compute_score.remote(call) for call in calls], return_exceptions=True)

    return asyncio.run(ask_all())


def judge(manager, *calls):
    """What becomes of responses whose rewards are these calls, each with a deadline that it does not need."""

    async def judge_one(output, call):
        async def verls_call():
            [worker] = manager.reward_loop_worker_handles
            result = await worker.compute_score.remote(call)
            output.reward_score, output.extra_fields["reward_extra_info"] = result["reward_score"], {}

        await answered(verls_call(), output, None, 300.0)
        return judged("uid", output.extra_fields["reward_extra_info"])

    async def judge_all():
        outputs = [AgentLoopOutput(prompt_ids=[1], response_ids=[2], response_mask=[1], metrics={}) for _ in calls]
        return await asyncio.gather(*[judge_one(*each) for each in zip(outputs, calls, strict=True)])

    return asyncio.run(judge_all())


def test_what_a_dead_worker_had_at_hand_is_scored_by_the_next_one(manager, tmp_path):
    manager.check_started()
    assert manager.num_restarts() == 0
    began = time.monotonic()
    answers = ask(manager, ("once", "first"), ("fine", "second"))
    assert time.monotonic() - began < 10
    assert [answer["reward_score"] for answer in answers] == [1.0, 1.0]
    assert (tmp_path / "first").stat().st_size == 2
    assert manager.num_restarts() == 1

    # One that is deadly each time comes to an end, as a death; a later one is scored.
    [error] = ask(manager, ("deadly", "third"))
    assert is_process_death(error)
    assert (tmp_path / "third").stat().st_size == 1 + RETRIES
    [error] = ask(manager, ("raise", ""))
    assert isinstance(error, ValueError)
    assert not is_process_death(error)
    [answer] = ask(manager, ("fine", "fourth"))
    assert answer["reward_score"] == 1.0
    assert manager.num_restarts() == 1 + 1 + RETRIES


def test_a_reward_that_is_always_deadly_ends_a_run_in_bounded_time_and_is_named(manager):
    began = time.monotonic()
    samples = judge(manager, *[("deadly", str(number)) for number in range(6)])
    # All six were at hand when the worker died, so that three deaths are enough for all.
    assert time.monotonic() - began < 60
    assert manager.num_restarts() <= 1 + RETRIES
    watch = VerdictWatch(VerdictLimits())
    watch.add(samples)
    fault = watch.fault()
    assert fault.startswith("6 of the last 6 samples have no verdict (sandbox_error)")
    assert "no reward worker lived to score the response, in up to 3 attempts" in fault


def test_a_worker_whose_start_raises_is_told_as_that_with_the_traceback(manager, tmp_path):
    manager.check_started()
    (tmp_path / "missing").touch()
    samples = judge(manager, ("deadly", "first"), ("fine", "second"))
    samples += judge(manager, ("fine", "third"))
    for sample in samples:
        assert sample.kinds == ("sandbox_error",)
        first_line, *rest = sample.reason.splitlines()
        assert first_line == "a reward worker could not be started: ModuleNotFoundError: No module named 'my_tools'"
        assert any("in __init__" in line for line in rest)
    with pytest.raises(
        RewardWorkerError, match="could not be started: ModuleNotFoundError: No module named"
    ) as refused:
        manager.check_started()
    assert "in __init__" in str(refused.value)
    assert "reward.custom_reward_function.path" in str(refused.value)
