# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a response whose reward worker died: a sample without a verdict; of one whose reward raised: no such.

`tests/e2e/test_reward_workers.py` lets processes die.
"""

import asyncio
from types import SimpleNamespace

import pytest
import ray
from ray.actor import ActorClass
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayTaskError, WorkerCrashedError
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.reward_loop import RewardLoopManager
from verl.trainer.ppo.v1 import trainer_base

from verl_sdpo.rewards import OUTCOME_FIELDS
from verl_sdpo.rollout.reward_workers import is_process_death, restart_reward_workers
from verl_sdpo.rollout.stop_reasons import StopReasonWorker
from verl_sdpo.watch.verdicts import judged

DEATHS = [
    ActorDiedError(),
    ActorUnavailableError("the actor is being restarted", None),
    OutOfMemoryError("the node is running low on memory"),
    WorkerCrashedError(),
]


def raised_in_the_worker(error):
    """What the caller of an actor gets where the actor's code raised this."""
    return RayTaskError("compute_score", "a traceback", error, "title", 1, "127.0.0.1").as_instanceof_cause()


RAISED = [
    ValueError("a broken row"),
    raised_in_the_worker(ValueError("a broken row")),
    # The reward itself waited for an actor, which died.
    raised_in_the_worker(ActorDiedError()),
    raised_in_the_worker(OutOfMemoryError("of a task that the reward started")),
]


class Worker(StopReasonWorker):
    """verl's agent loop worker with one reward worker, whose every call ends in the same error."""

    def __init__(self, error):
        self.reward_loop_worker_handles = [SimpleNamespace(compute_score=SimpleNamespace(remote=self.fail))]
        self.processor = self.hf_model_type = None
        self.mm_processor_kwargs = {}
        self.config = SimpleNamespace(trainer=SimpleNamespace(reward_timeout=None))
        self.tokenizer, self.rollout_config = None, SimpleNamespace(calculate_log_probs=False)
        self.error = error

    async def fail(self, data):
        raise self.error


def scored(error, **extra_fields):
    outputs = [
        AgentLoopOutput(
            prompt_ids=[1], response_ids=[5, 6], response_mask=[1, 1], metrics={}, extra_fields=dict(extra_fields)
        )
    ]
    asyncio.run(Worker(error)._compute_score(outputs, {"extra_info": {"index": 3}}))
    return outputs[-1]


@pytest.mark.parametrize("error", DEATHS, ids=lambda error: type(error).__name__)
def test_a_response_that_no_worker_lived_to_score_has_no_verdict(error):
    output = scored(error, truncated=True)
    assert output.reward_score == 0.0
    info = output.extra_fields["reward_extra_info"]
    assert tuple(info) == OUTCOME_FIELDS
    assert (info["score"], info["acc"], info["sandbox_error"], info["bad_test"]) == (0.0, 0.0, 1.0, 0.0)
    assert info["truncated"] == 1.0
    found = judged("uid", info)
    assert found.kinds == ("sandbox_error",)
    assert found.reason.startswith("no reward worker lived to score the response, in up to 3 attempts: ")
    assert found.reason.endswith(str(error).strip().splitlines()[-1].strip())


def test_what_fails_outside_of_a_reward_worker_is_raised():
    with pytest.raises(ValueError, match="a broken row"):
        scored(ValueError("a broken row"), truncated=False)


@pytest.mark.parametrize("error", RAISED[1:], ids=lambda error: type(error).__name__)
def test_what_a_reward_raises_is_told_as_its_own_error_and_not_as_a_death(error):
    info = scored(error, truncated=False).extra_fields["reward_extra_info"]
    assert (info["score"], info["sandbox_error"]) == (0.0, 1.0)
    assert info["feedback"].startswith("the reward raised")


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_in_the_worker_is_not_its_death(error):
    assert not is_process_death(error)


@pytest.fixture
def started(monkeypatch):
    """Each actor that is started, as (arguments, options), in place of a cluster. What is put away is its own name."""
    actors = []
    monkeypatch.setattr(ray, "nodes", lambda: [{"NodeID": "0" * 56, "Alive": True, "Resources": {"CPU": 4}}])
    monkeypatch.setattr(ray, "put", lambda value: ("kept", value))

    def start(actor_class, args, kwargs, **options):
        actors.append((args, options))
        return actor_class

    monkeypatch.setattr(ActorClass, "_remote", start)
    return actors


def test_the_trainers_get_workers_that_are_started_anew(monkeypatch, started):
    monkeypatch.setattr(trainer_base, "RewardLoopManager", RewardLoopManager)
    restart_reward_workers()
    reward = SimpleNamespace(
        num_workers=2,
        reward_model=SimpleNamespace(enable=False),
        reward_manager=SimpleNamespace(source="register", name="naive"),
    )
    config = SimpleNamespace(reward=reward)
    handles = trainer_base.RewardLoopManager(config=config, rm_resource_pool=None).reward_loop_worker_handles
    assert [handle.__ray_metadata__.class_name for handle in handles] == ["RewardLoopWorker"] * 2
    # verl's own options and arguments, the latter in a form that outlives the start.
    assert [options["name"] for _, options in started] == ["reward_loop_worker_0", "reward_loop_worker_1"]
    assert [args for args, _ in started] == [(("kept", config), ("kept", None))] * 2
    assert [(options["max_restarts"], options["max_task_retries"]) for _, options in started] == [(20, 2)] * 2
