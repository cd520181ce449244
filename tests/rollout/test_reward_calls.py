# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A reward that hangs, raises or returns no number costs its own sample and no other, and says so."""

import asyncio
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ray.exceptions import RayActorError, RayTaskError
from verl.trainer.ppo.v1 import PPOTrainer
from verl.workers.rollout.llm_server import LLMServerClient

from tests.rollout.test_stop_reasons import CONFIG, Remote, Worker, client_of, run_session
from tests.rollout.test_stop_reasons import fast_loop as fast_loop
from verl_sdpo.rollout.reward_calls import clean_texts, fault_of
from verl_sdpo.rollout.reward_workers import MAX_TRACEBACK_CHARS
from verl_sdpo.rollout.sessions import GENERATION, REWARD, Sessions
from verl_sdpo.watch.verdicts import judged

TASK_ERROR = RayTaskError("compute_score", "Traceback (most recent call last):\nKeyError: 'score'", KeyError("score"))


class Judge(Worker):
    """A worker whose reward does for each question what `behaviour` says: returns a score, raises, or never ends."""

    def __init__(self, behaviour, seconds=0.2):
        super().__init__(client_of(LLMServerClient, *[([5, 2], "stop")] * len(behaviour)))
        self.config = SimpleNamespace(**vars(CONFIG) | {"trainer": SimpleNamespace(reward_timeout=seconds)})
        self.behaviour, self.outputs = behaviour, {}
        self.hanging = asyncio.Event()
        self.reward_loop_worker_handles = [SimpleNamespace(compute_score=Remote(self.reward))]

    async def reward(self, data):
        [name] = data.non_tensor_batch["raw_prompt"]
        does = self.behaviour[name]
        if does == "hang":
            await self.hanging.wait()
        if isinstance(does, Exception):
            raise does
        return {"reward_score": does, "reward_extra_info": {"score": does, "mine": name}}

    async def _agent_loop_postprocess(self, output, validate, **kwargs):
        await self._compute_score([output], kwargs=kwargs)
        self.outputs[kwargs["raw_prompt"]] = output


def run_all(worker, **kwargs):
    async def all_of_them():
        names = list(worker.behaviour)
        sessions = [run_session(worker, name, uid=f"uid-{name}", session_id=0, **kwargs) for name in names]
        return await asyncio.gather(*[asyncio.create_task(each) for each in sessions], return_exceptions=True)

    return asyncio.run(asyncio.wait_for(all_of_them(), 20))


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("hang", "did not answer in 0.2 s (trainer.reward_timeout)"),
        (TASK_ERROR, "the reward raised KeyError: 'score'"),
        (math.nan, "nan, which is not finite"),
        (-math.inf, "-inf, which is not finite"),
        (np.float32("nan"), "nan, which is not finite"),
        (1e300, "1e+300, which is not finite"),
        (10**400, "which is not finite"),
        (None, "no score"),
        ("0.5", "of type str"),
        ([1.0, 2.0], "of type list"),
        (1 + 2j, "of type complex"),
        (torch.zeros(2), "of type Tensor"),
    ],
    ids=repr,
)
def test_a_reward_that_gives_no_number_masks_its_own_sample_only(does, reason):
    worker = Judge({"good": 0.75, "odd": does, "also good": 1})
    assert run_all(worker) == [None] * 3
    odd = worker.outputs["odd"]
    verdict = judged("uid", odd.extra_fields["reward_extra_info"])
    assert odd.reward_score == 0.0
    assert verdict.kinds == ("sandbox_error",)
    assert reason in verdict.reason
    for name, score in (("good", 0.75), ("also good", 1.0)):
        assert worker.outputs[name].reward_score == score
        assert worker.outputs[name].extra_fields["reward_extra_info"]["mine"] == name
    # What verl makes of it.
    assert [worker.outputs[name].as_dict()["rm_scores"][-1].item() for name in worker.behaviour] == [0.75, 0.0, 1.0]


@pytest.mark.parametrize("score", [0, 1, -2.5, True, np.float32(0.5), np.int64(3), np.array(0.5), torch.tensor([0.5])])
def test_numbers_of_all_kinds_are_scores(score):
    assert fault_of(score) is None
    worker = Judge({"q": score})
    run_all(worker)
    assert worker.outputs["q"].reward_score == float(score)


def test_texts_of_any_reward_can_be_tokenized_stored_and_logged():
    odd = "half \ud83d of one, \x00, \N{GRINNING FACE}\N{ZERO WIDTH JOINER}, <|im_end|>"
    worker = Judge({odd: 0.5, "plain": 0.5, np.str_("\ud800"): 0.5})
    run_all(worker)
    told = [worker.outputs[name].extra_fields["reward_extra_info"]["mine"] for name in worker.behaviour]
    assert told == ["half ? of one, \ufffd, \N{GRINNING FACE}\N{ZERO WIDTH JOINER}, <|im_end|>", "plain", "?"]
    for text in told:
        assert text.encode("utf-8").decode("utf-8") == text
        assert np.array([text])[0] == text


def test_what_verl_writes_down_of_odd_texts_is_utf_8(tmp_path):
    odd = "half \ud83d, \x00, 答案, \N{RIGHT-TO-LEFT OVERRIDE}שלום, \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}"
    told = {"feedback": odd}
    as_it_is = ([odd.replace("\ud83d", "")], ["<|im_end|>\u2028"], ["A"], [0.0])
    # Why texts are cleaned: verl's thread would end in the midst of the file.
    with pytest.raises(UnicodeEncodeError):
        PPOTrainer._write_generations(*as_it_is, {"feedback": [odd]}, tmp_path / "raw", 1)
    clean_texts(told)
    PPOTrainer._write_generations(*as_it_is, {"feedback": [told["feedback"]]}, tmp_path / "clean", 1)
    [line] = (tmp_path / "clean" / "1.jsonl").read_bytes().decode("utf-8").split("\n")[:-1]
    assert json.loads(line)["feedback"] == odd.replace("\ud83d", "?").replace("\x00", "\ufffd")
    assert json.loads(line)["input"] == as_it_is[0][0]


def test_a_timeout_that_the_reward_itself_raises_is_no_deadline():
    error = RayTaskError("compute_score", "TimeoutError: the server is slow", TimeoutError("the server is slow"))
    worker = Judge({"q": error.as_instanceof_cause()}, seconds=None)
    run_all(worker)
    reason = worker.outputs["q"].extra_fields["reward_extra_info"]["feedback"]
    assert "the server is slow" in reason
    assert "reward_timeout" not in reason


def test_the_reason_of_a_reward_that_raised_has_its_traceback_without_colours_and_is_bounded():
    lines = "\n".join(f"  File lib.py, line {number}" for number in range(1000))
    text = f"\x1b[36mray::RewardLoopWorker.compute_score()\x1b[39m\n{lines}\n  File reward.py, line 7\nKeyError: 'x'"
    worker = Judge({"q": RayTaskError("compute_score", text, KeyError("x"))})
    run_all(worker)
    reason = judged("uid", worker.outputs["q"].extra_fields["reward_extra_info"]).reason
    assert reason.startswith("the reward raised KeyError: 'x'\n")
    assert reason.endswith("  File reward.py, line 7\nKeyError: 'x'")
    assert len(reason) < MAX_TRACEBACK_CHARS + 100
    assert "\x1b" not in reason


def test_where_the_worker_dies_that_sample_has_no_verdict_and_the_others_have_theirs():
    worker = Judge({"good": 1.0, "dead": RayActorError()})
    assert run_all(worker) == [None, None]
    assert worker.outputs["good"].reward_score == 1.0
    outcome = worker.outputs["dead"].extra_fields["reward_extra_info"]
    assert (outcome["score"], outcome["sandbox_error"]) == (0.0, 1.0)


def test_where_the_ranks_judge_later_there_is_no_score_yet():
    worker = Judge({"q": 1.0})
    worker.reward_loop_worker_handles = None
    run_all(worker)
    assert worker.outputs["q"].reward_score is None


def test_a_worker_can_be_asked_what_its_sessions_wait_for_while_they_wait():
    worker = Judge({"quick": 1.0, "slow": "hang"}, seconds=None)

    async def ask():
        names = ("quick", "slow")
        tasks = [asyncio.create_task(run_session(worker, name, uid=f"uid-{name}", session_id=3)) for name in names]
        while len(worker.outputs) < 1:
            await asyncio.sleep(0)
        during = await worker.waiting()
        worker.behaviour["slow"] = 0.0
        worker.hanging.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return during, await worker.waiting()

    during, after = asyncio.run(asyncio.wait_for(ask(), 20))
    [(uid, session, what, seconds)] = during["sessions"]
    assert (uid, session, what) == ("uid-slow", 3, REWARD)
    assert seconds >= 0
    assert "process" in during["worker"]
    assert after["sessions"] == []


def test_the_registry_by_itself():
    now = [100.0]
    sessions = Sessions(lambda: now[0])
    sessions.waits(1, "a", 0, GENERATION)
    now[0] += 5
    sessions.waits(2, "b", 1, GENERATION)
    now[0] += 5
    assert [(each.uid, each.seconds) for each in sessions.unfinished()] == [("a", 10), ("b", 5)]
    assert sessions.idle_seconds() == 5
    sessions.goes_on(1, REWARD)
    sessions.goes_on("unknown", REWARD)
    assert [(each.uid, each.waits_for) for each in sessions.unfinished()] == [("b", GENERATION), ("a", REWARD)]
    now[0] += 1
    sessions.ended(2)
    assert sessions.idle_seconds() == 0
    assert [each.uid for each in sessions.unfinished()] == ["a"]
