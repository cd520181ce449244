# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Verdicts on responses, by the function that a training run scores with, many at a time.

What counts as a verdict is training's own rule (`verl_sdpo.rollout.reward_calls`): a response that the reward does not
answer, in time and with a finite number, has none, nor has one that the reward itself could not judge. Whatever a
reward returns, it is the affair of that response alone: the others have cost hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verl_sdpo import rewards
from verl_sdpo.evaluate.fault import EvaluateError, one_line
from verl_sdpo.evaluate.questions import Question
from verl_sdpo.rewards.outcome import NO_VERDICT_FIELDS, clean_text
from verl_sdpo.rewards.reward_modules import load_module

# Responses that are judged at a time: those that wait for a program leave the core to others.
MAX_WORKERS = max(8, os.cpu_count() or 1)
# verl's name for the answer that a response votes for.
_VOTE = "pred"


@dataclass(frozen=True)
class Verdict:
    """What a reward said of one response."""

    # Why there is none: a name of `NO_VERDICT_FIELDS`, "error" or "timeout"; None: there is a verdict.
    no_verdict: str | None
    score: float | None = None
    # 1.0: right. The score where the reward does not tell them apart.
    acc: float | None = None
    # None: the response has none, or its reward compares none.
    answer: str | None = None
    feedback: str = ""


@dataclass(frozen=True)
class Scorer:
    """The reward function with its options."""

    path: str
    name: str
    function: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.function in (rewards.compute_score, rewards.compute_score_async)

    @property
    def reward_options(self) -> dict[str, Any]:
        """Those of single rewards."""
        return {key: value for key, value in self.options.items() if key != "reward_modules"}

    def answer_reader(self, data_source: str) -> Callable[..., str | None] | None:
        """Reads a response's answer where the reward's result does not hold it; None where that cannot be done."""
        return rewards.answer_reader(data_source, self.reward_options) if self.is_ours else None


def load_scorer(path: str, name: str, options: Mapping[str, Any]) -> Scorer:
    """The function that a path and a name mean, as verl reads `reward.custom_reward_function`.

    Raises:
        EvaluateError: it is not there, or has no such options.
    """
    try:
        module = load_module(path)
    except (ValueError, SystemExit) as error:
        raise EvaluateError(f"--reward={one_line(error)}; correct the file, or the path") from error
    function = getattr(module, name, None)
    if not callable(function):
        known = ", ".join(sorted(key for key, value in vars(module).items() if callable(value) and key[0] != "_"))
        raise EvaluateError(f"--reward-name={name} is no function of {path}: name one of {known}")
    scorer = Scorer(path, name, function, dict(options))
    if scorer.is_ours:
        try:
            rewards.load_reward_modules(options.get("reward_modules") or ())
            rewards.check_options(scorer.reward_options)
        except ValueError as error:
            raise EvaluateError(f"--reward-kwargs: {one_line(error)}; correct it or take it out") from error
    return scorer


def check_rows(scorer: Scorer, questions: Sequence[Question]) -> None:
    """Whether every row can be scored, here. A function of somebody else's cannot be asked.

    Raises:
        EvaluateError: one cannot, or this machine cannot run what the reward has to run.
    """
    if not scorer.is_ours:
        return
    for question in questions:
        try:
            rewards.check_row(question.data_source, question.ground_truth, question.extra_info)
        except ValueError as error:
            raise EvaluateError(f"{question.where}: {one_line(error)}") from error
    try:
        rewards.check_machine(sorted({question.data_source for question in questions}), scorer.reward_options)
    except ValueError as error:
        raise EvaluateError(f"--data: responses cannot be scored on this machine: {one_line(error)}") from error


def judge(
    scorer: Scorer, asked: Sequence[tuple[Question, str, bool]], seconds: float, workers: int = MAX_WORKERS
) -> list[Verdict]:
    """Verdicts on responses, in their order.

    Args:
        asked: question, response as text, and whether it was cut off.
        seconds: for one response, from when it is begun.
        workers: how many at a time.
    """
    readers = {source: scorer.answer_reader(source) for source in {question.data_source for question, _, _ in asked}}

    async def judge_all() -> list[Verdict]:
        places = asyncio.Semaphore(workers)

        async def judge_one(question: Question, text: str, is_truncated: bool) -> Verdict:
            async with places:
                # Of its own: a reward may write into it, as verl does.
                about = {
                    **question.extra_info,
                    "truncated": is_truncated,
                    "num_turns": 2,
                    "rollout_reward_scores": {},
                }
                return await _verdict(scorer, readers[question.data_source], question, text, about, seconds)

        return await asyncio.gather(*(judge_one(*each) for each in asked))

    return asyncio.run(judge_all())


async def _verdict(
    scorer: Scorer,
    read_answer: Callable[..., str | None] | None,
    question: Question,
    text: str,
    about: dict[str, Any],
    seconds: float,
) -> Verdict:
    arguments = {"data_source": question.data_source, "ground_truth": question.ground_truth, "extra_info": about}
    try:
        returned = await asyncio.wait_for(_call(scorer, text, arguments), seconds)
    except TimeoutError:
        return Verdict("timeout", feedback=f"the reward did not answer in {seconds:g} s (--reward-timeout)")
    except Exception as error:
        # Anybody's code, on text that a model wrote.
        return Verdict("error", feedback=clean_text(f"the reward raised {type(error).__name__}: {one_line(error)}"))
    outcome = returned if isinstance(returned, Mapping) else {"score": returned}
    try:
        return _read(outcome, (lambda: read_answer(text, about)) if read_answer else lambda: outcome.get(_VOTE))
    except Exception as error:
        # An object of anybody's making, and perhaps a reader of answers.
        told = f"what the reward returned cannot be read: {type(error).__name__}: {one_line(error)}"
        return Verdict("error", feedback=clean_text(told))


def _read(outcome: Mapping[str, Any], read_answer: Callable[[], Any]) -> Verdict:
    from verl_sdpo.rollout.reward_calls import fault_of

    if fault := fault_of(outcome.get("score")):
        return Verdict("error", feedback=clean_text(fault))
    feedback = clean_text(str(outcome.get("feedback") or ""))
    if missing := next((name for name in NO_VERDICT_FIELDS if outcome.get(name)), None):
        return Verdict(missing, feedback=feedback)
    score, acc = float(outcome["score"]), outcome.get("acc")
    if acc is not None and fault_of(acc):
        return Verdict("error", feedback=clean_text(f"the reward's acc is no finite number: {str(acc)[:40]!r}"))
    answer = read_answer()
    return Verdict(
        None,
        score,
        score if acc is None else float(acc),
        None if answer is None else clean_text(str(answer)),
        feedback,
    )


async def _call(scorer: Scorer, text: str, arguments: dict[str, Any]) -> Any:
    """What the function returns. A plain one runs in a thread that keeps nobody from ending, should it hang."""
    call = lambda: scorer.function(solution_str=text, **arguments, **scorer.options)  # noqa: E731
    if inspect.iscoroutinefunction(scorer.function):
        return await call()
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def settle(settled: tuple[Any, BaseException | None]) -> None:
        if not future.done():
            future.set_result(settled)

    def run() -> None:
        try:
            settled = (call(), None)
        except BaseException as error:
            # A program may also be ended from there, or an iteration: that is the reward's affair.
            settled = (None, error)
        # Nobody waits any more once it has taken too long.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, settled)

    threading.Thread(target=run, daemon=True, name="evaluate-reward").start()
    returned, error = await future
    if isinstance(error, Exception):
        raise error
    if error is not None:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    return returned
