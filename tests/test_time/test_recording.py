# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An agent loop worker of a test-time run: what it writes down, when, and with which seeds it asks."""

import asyncio
from types import SimpleNamespace

import pytest

from verl_sdpo.rollout import stop_reasons
from verl_sdpo.test_time.recording import FIRST_ATTEMPT, QUESTION, RecordingWorker

ROW = {QUESTION: "7", FIRST_ATTEMPT: 17, "session_id": 3, "uid": "q7-00000017", "global_steps": 5}


class Remote:
    """A recorder behind Ray: its methods are asked with `.remote` and awaited."""

    def __init__(self, log):
        for name in ("attempt", "verdict"):
            setattr(self, name, SimpleNamespace(remote=self._noting(name, log)))

    @staticmethod
    def _noting(name, log):
        async def note(*args, **kwargs):
            await asyncio.sleep(0)
            log.append((name, args, kwargs))

        return note


@pytest.fixture
def worker(monkeypatch):
    worker = object.__new__(RecordingWorker)
    worker.log = []
    worker.__dict__["recorder"] = Remote(worker.log)
    worker.rollout_config = SimpleNamespace(name="vllm", seed=11)
    worker.tokenizer = SimpleNamespace(decode=lambda ids, skip_special_tokens: f"{ids} {skip_special_tokens}")

    async def score(self, outputs, kwargs):
        self.log.append(("reward", (), {}))
        outputs[-1].reward_score = 0.25
        outputs[-1].extra_fields["reward_extra_info"] = {"feedback": "no"}

    monkeypatch.setattr(stop_reasons.StopReasonWorker, "_compute_score", score)
    return worker


def output(ids, mask):
    return SimpleNamespace(prompt_ids=[1, 2], response_ids=ids, response_mask=mask, reward_score=None, extra_fields={})


def test_an_attempt_is_written_down_before_its_reward_is_asked_and_the_verdict_after(worker):
    # The second token is a tool's.
    asyncio.run(worker._compute_score([output([5], [1]), output([7, 8, 9], [1, 0, 1])], dict(ROW)))
    assert worker.log == [
        ("attempt", ("7", 20, 5, "[7, 9] True"), {"prompt_tokens": 2, "response_tokens": 3}),
        ("reward", (), {}),
        ("verdict", ("7", 20, 0.25, {"feedback": "no"}), {}),
    ]


def test_a_request_has_a_seed_of_its_question_and_attempt_alone(worker):
    def seed(**changes):
        return worker._requests(ROW | changes).next_seed()

    # The same attempt, asked in another batch after a restart.
    assert seed() == seed(**{FIRST_ATTEMPT: 20}, session_id=0, uid="q7-00000020", global_steps=2)
    others = [seed(session_id=2), seed(**{QUESTION: "8"}), seed(**{FIRST_ATTEMPT: 18})]
    worker.rollout_config.seed = 12
    assert len({seed(), *others}) == 4


def test_only_vllm_is_given_seeds(worker):
    worker.rollout_config.name = "sglang"
    assert worker._requests(ROW) is None
