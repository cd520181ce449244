# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The asynchronous front door: same results, and a loop that goes on while rewards work."""

import asyncio
import inspect
import threading
import time

import pytest

from verl_sdpo.rewards import compute_score, compute_score_async, register_reward, score

CASES = [
    ("sciknoweval/chemistry", "<answer>B</answer>", "B", None, {}),
    ("sciknoweval/chemistry", "<answer>C</answer>", "B", {"truncated": True}, {"reveal_answer": True}),
    ("gsm8k", "\\boxed{3}", "3", {}, {}),
    ("none", "x", None, None, {}),
]


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))


@pytest.mark.parametrize(("source", "text", "truth", "extra_info", "options"), CASES)
def test_the_result_is_that_of_the_plain_function(source, text, truth, extra_info, options):
    expected = compute_score(source, text, truth, extra_info, **options)
    assert asyncio.run(compute_score_async(source, text, truth, extra_info, **options)) == expected
    by_name = {"data_source": source, "solution_str": text, "ground_truth": truth, "extra_info": extra_info}
    assert asyncio.run(compute_score_async(**by_name, **options)) == expected


def test_an_error_arrives_as_the_plain_functions():
    with pytest.raises(ValueError, match="one of the letters"):
        asyncio.run(compute_score_async("sciknoweval", "", "Z"))


def test_slow_rewards_leave_the_loop_free_and_are_bounded_in_number():
    running, most, lock, gate = 0, 0, threading.Lock(), threading.Event()

    @register_reward("slow")
    def slow(solution_str, ground_truth, extra_info=None):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        assert gate.wait(30)
        with lock:
            running -= 1
        return {"score": 1.0}

    async def score_all():
        number = 3 * score.MAX_ASYNC_THREADS
        tasks = [asyncio.create_task(compute_score_async("slow", "", "x")) for _ in range(number)]
        deadline = time.monotonic() + 20
        # This runs while every thread waits: a blocked loop would not get here.
        while running < score.MAX_ASYNC_THREADS and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert running == score.MAX_ASYNC_THREADS
        assert await asyncio.to_thread(lambda: "free") == "free"
        gate.set()
        return [result["score"] for result in await asyncio.gather(*tasks)]

    assert asyncio.run(score_all()) == [1.0] * 3 * score.MAX_ASYNC_THREADS
    assert most == score.MAX_ASYNC_THREADS


def test_a_second_loop_finds_the_threads():
    for _ in range(2):
        assert asyncio.run(compute_score_async("gsm8k", "\\boxed{3}", "3"))["score"] == 1.0


def test_it_has_the_plain_functions_arguments():
    names = list(inspect.signature(compute_score_async).parameters)
    assert names[:4] == list(inspect.signature(compute_score).parameters)[:4]
    assert inspect.iscoroutinefunction(compute_score_async)


def test_an_asynchronous_reward_is_refused_when_it_is_registered():
    async def mine(solution_str, ground_truth, extra_info=None):
        return {"score": 1.0}

    with pytest.raises(ValueError, match="write it as a plain function"):
        register_reward("mine")(mine)
