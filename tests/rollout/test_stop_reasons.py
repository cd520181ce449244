# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From an engine's word to the reward: verl's clients, worker and session around servers that say what a test wants."""

import asyncio
from types import SimpleNamespace

import pytest
from verl.experimental.agent_loop import agent_loop
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from verl_sdpo.rollout.stop_reasons import Session, StopReasonWorker, is_cut_off, listening

LIMIT = 4
CONFIG = SimpleNamespace(
    actor_rollout_ref=SimpleNamespace(
        rollout=SimpleNamespace(name="vllm", response_length=LIMIT, calculate_log_probs=False)
    ),
    data={},
    trainer=SimpleNamespace(reward_timeout=60.0),
)


class Remote:
    """A method of a Ray actor."""

    def __init__(self, function):
        self.remote = function


class Server:
    """Answers each request with the next of its outputs: (token ids, reason)."""

    def __init__(self, *outputs):
        self.outputs = list(outputs)
        self.generate = Remote(self.answer)

    async def answer(self, **request):
        await asyncio.sleep(0)
        token_ids, reason = self.outputs.pop(0)
        return TokenOutput(token_ids=token_ids, stop_reason=reason)


class Loop:
    """An agent loop: a turn for each token list of the tools, and one before the first."""

    def __init__(self, server_manager, tools, **_):
        self.client = server_manager
        self.tools = tools.tools

    async def run(self, sampling_params, raw_prompt, turns=1, extra_fields=(), **_):
        response = []
        for turn in range(turns):
            response += self.tools if turn else []
            output = await self.client.generate(f"{raw_prompt}", prompt_ids=[1], sampling_params=sampling_params)
            response += output.token_ids
        kept = response[:LIMIT]
        return AgentLoopOutput(
            prompt_ids=[1],
            response_ids=kept,
            response_mask=[1] * len(kept),
            metrics={},
            extra_fields=dict(extra_fields),
        )


class Worker(StopReasonWorker):
    """verl's worker without its models; of the post-processing there is the reward."""

    def __init__(self, client, tools=()):
        self.config, self.rollout_config = CONFIG, CONFIG.actor_rollout_ref.rollout
        self.llm_client, self.tools = listening(client), list(tools)
        self.tokenizer = self.processor = self.hf_model_type = self.dataset_cls = None
        self.mm_processor_kwargs = {}
        self.reward_loop_worker_handles = [SimpleNamespace(compute_score=Remote(self.reward))]
        self.told = {}

    async def reward(self, data):
        [name] = data.non_tensor_batch["raw_prompt"]
        self.told[name] = data.non_tensor_batch["extra_info"][-1] if "extra_info" in data.non_tensor_batch else None
        return {"reward_score": 0.0, "reward_extra_info": {}}

    async def _agent_loop_postprocess(self, output, validate, **kwargs):
        await self._compute_score([output], kwargs=kwargs)


@pytest.fixture(autouse=True)
def fast_loop(monkeypatch):
    monkeypatch.setitem(agent_loop._agent_loop_registry, "mine", {"_target_": f"{__name__}.Loop"})
    real_sleep = asyncio.sleep
    # A client that resumes waits a second before it asks again.
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: real_sleep(0))


def client_of(kind, *outputs):
    client = kind(config=CONFIG)
    server = Server(*outputs)

    async def acquire(request_id, **_):
        return "server", server

    client._acquire_server = acquire
    client._release_server = lambda *_, **__: None
    return client


def run_session(worker, name="q", **kwargs):
    trajectory = {"step": 0, "sample_index": 0, "rollout_n": 0, "validate": False}
    kwargs = {"extra_info": {"index": 3}} | kwargs
    return worker._run_agent_loop({}, trajectory, agent_name="mine", trace=False, raw_prompt=name, **kwargs)


def told(kind, *outputs, tools=(), **kwargs):
    worker = Worker(client_of(kind, *outputs), tools)
    asyncio.run(run_session(worker, **kwargs))
    return worker.told["q"]


@pytest.mark.parametrize("kind", [LLMServerClient, FullyAsyncLLMServerClient])
@pytest.mark.parametrize(
    ("token_ids", "reason", "expected"),
    [
        ([5, 6, 7, 8], "length", True),
        ([5, 6, 7, 2], "stop", False),  # the end of turn in the last place that is allowed
        ([5, 2], "stop", False),
        ([5, 6], "length", True),  # the model's context was full before the limit
        ([5, 6], "error", False),
    ],
)
def test_the_engines_word_reaches_the_reward(kind, token_ids, reason, expected):
    assert told(kind, (token_ids, reason)) == {"index": 3, "truncated": expected}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([([5, 6], "aborted"), ([7, 8], "length")], True),
        ([([5, 6], "abort"), ([7, 2], "stop")], False),
        ([([5], "aborted"), ([], "aborted"), ([2], "stop")], False),
        # Interrupted with the last token that there was room for: verl asks for no more.
        ([([5, 6], "aborted"), ([7, 8], "aborted")], True),
    ],
)
def test_an_interrupted_response_is_judged_by_its_end(parts, expected):
    assert told(FullyAsyncLLMServerClient, *parts)["truncated"] is expected


def test_an_interruption_that_nobody_resumes_is_no_length_limit():
    assert told(LLMServerClient, ([5, 6], "aborted"))["truncated"] is False


def test_of_several_turns_the_last_decides():
    assert told(LLMServerClient, ([5], "length"), ([2], "stop"), tools=[9], turns=2)["truncated"] is False
    assert told(LLMServerClient, ([5], "stop"), ([6, 7], "length"), tools=[9], turns=2)["truncated"] is True


def test_what_the_agent_loop_drops_is_cut_off_however_the_turn_ended():
    assert told(LLMServerClient, ([5, 6], "stop"), ([7, 2], "stop"), tools=[9], turns=2)["truncated"] is True
    assert told(LLMServerClient, ([5, 6], "stop"), ([2], "stop"), tools=[9], turns=2)["truncated"] is False
    assert told(LLMServerClient, ([5, 6, 7, 8, 2], "stop"))["truncated"] is True


@pytest.mark.parametrize("reason", [None, "completed"])
def test_an_engine_that_does_not_say_leaves_the_row_as_it_is_and_is_named_once(reason, caplog):
    worker = Worker(client_of(LLMServerClient, ([5, 6, 7, 8], reason), ([5, 2], reason)))
    asyncio.run(run_session(worker))
    assert worker.told["q"] == {"index": 3}
    asyncio.run(run_session(worker, "p"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "'vllm'" in caplog.text


def test_an_agent_loop_that_says_so_itself_is_believed():
    output = ([5, 6, 7, 8], "length")
    assert told(LLMServerClient, output, extra_fields={"truncated": False})["truncated"] is False


@pytest.mark.parametrize("row", [{}, {"extra_info": None}, {"extra_info": {}}])
def test_a_row_without_facts_gets_this_one(row):
    worker = Worker(client_of(LLMServerClient, ([5], "length")))
    trajectory = {"step": 0, "sample_index": 0, "rollout_n": 0, "validate": False}
    asyncio.run(worker._run_agent_loop({}, trajectory, agent_name="mine", trace=False, raw_prompt="q", **row))
    assert worker.told["q"] == {"truncated": True}


def test_the_row_that_verl_stores_stays_as_it_is():
    row = {"index": 3}
    assert told(LLMServerClient, ([5], "length"), extra_info=row) == {"index": 3, "truncated": True}
    assert row == {"index": 3}


def test_sessions_at_the_same_time_do_not_hear_each_other():
    outputs = [([5], "length" if number % 3 == 0 else "stop") for number in range(20)]
    worker = Worker(client_of(LLMServerClient, *outputs))
    # As verl starts them (`AgentLoopWorkerTQ._run_prompt`): the server answers in the order in which they ask.

    async def run_all():
        await asyncio.gather(*[asyncio.create_task(run_session(worker, number)) for number in range(20)])

    asyncio.run(run_all())
    assert [worker.told[number]["truncated"] for number in range(20)] == [n % 3 == 0 for n in range(20)]


def test_a_session_knows_nothing_of_the_one_before_it():
    worker = Worker(client_of(LLMServerClient, ([5], "length")))

    async def run_both():
        await run_session(worker, "first")
        await run_session(worker, "second", turns=0)  # asks an engine of its own

    asyncio.run(run_both())
    assert worker.told == {"first": {"index": 3, "truncated": True}, "second": {"index": 3}}


def test_a_client_of_a_class_of_its_own_keeps_its_methods():
    class Fixed(LLMServerClient):
        def _vllm_request_id(self, request_id):
            return f"fixed-{request_id}"

    client = listening(client_of(Fixed, ([5], "length")))
    assert isinstance(client, Fixed)
    assert client._vllm_request_id("a") == "fixed-a"


def test_the_judgement_by_itself():
    assert is_cut_off(Session(), [], LIMIT) is None
    assert is_cut_off(Session("stop", ()), [1] * LIMIT, LIMIT) is False
    assert is_cut_off(Session("completed", [1, 2]), [3, 1, 2, 9], LIMIT) is True
    assert is_cut_off(Session("completed", [1, 2]), [3, 4, 1, 2], LIMIT) is None
