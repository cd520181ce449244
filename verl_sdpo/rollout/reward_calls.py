# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One call of a reward: a response that it does not answer, in time and with a number, has no verdict.

verl 0.9.1 waits for a reward without an end, loses the session of one that raises, and trains on whatever it returns: a
score that is not a number stops the run far from there, and one that is not finite costs the whole update.

Depends on `experimental/agent_loop/agent_loop.py` of verl 0.9.1: `_compute_score` writes `reward_score` and
`extra_fields["reward_extra_info"]` of the last output, after it has awaited the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from numbers import Real
from typing import Any

from ray.exceptions import RayTaskError
from verl.experimental.agent_loop import AgentLoopOutput

from verl_sdpo.rewards.outcome import clean_text, complete_outcome
from verl_sdpo.rollout.reward_workers import is_process_death, told_of_death, with_traceback

logger = logging.getLogger(__name__)

# verl stores scores in single precision.
MAX_SCORE = 3.4028234663852886e38


async def answered(
    call: Awaitable[None], output: AgentLoopOutput, extra_info: Mapping[str, Any] | None, seconds: float | None
) -> None:
    """Await verl's call of the reward; where it gives no usable score, the sample has no verdict instead.

    What a reward raises is that sample's affair, and so is the death of its workers. Other errors are raised.

    Args:
        call: sets the fields of the output that verl sets from a reward.
        extra_info: the row's, as the reward gets it.
        seconds: for an answer, waiting for a free worker counted; None: without an end.
    """
    task = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    if not done:
        fault = f"the reward did not answer in {seconds:g} s (trainer.reward_timeout)"
    else:
        fault = _error_of(task) or fault_of(output.reward_score)
    if fault is not None:
        no_verdict(output, extra_info, fault)
    else:
        output.reward_score = float(output.reward_score)
        clean_texts(output.extra_fields.get("reward_extra_info"))


def _error_of(task: asyncio.Future[None]) -> str | None:
    """What the reward raised, whose traceback is logged, or how its workers died; None where neither happened.

    Other errors are raised.
    """
    try:
        task.result()
    except RayTaskError as error:
        logger.error("a reward raised", exc_info=error)
        return with_traceback("the reward raised", error)
    except Exception as error:
        if not is_process_death(error):
            raise
        return told_of_death(error)
    return None


def fault_of(score: Any) -> str | None:
    """What is wrong with a score; None where it is a finite number, of Python's types or an array's only element."""
    if score is None:
        return "the reward returned no score"
    try:
        value = score.item()
    except (AttributeError, RuntimeError, ValueError):
        value = score
    if not isinstance(value, Real):
        return f"the reward returned a score of type {type(score).__name__}, which is no number: {str(score)[:40]!r}"
    # Not a number is not at most anything.
    if not abs(value) <= MAX_SCORE:
        return f"the reward returned the score {str(value)[:40]}, which is not finite in single precision"
    return None


def clean_texts(told: Any) -> None:
    """Make texts that any function has returned beside a score such that they can be tokenized, stored and logged.

    A program's output may have half of a character (a lone surrogate), which neither UTF-8 nor a tokenizer takes.
    """
    for name, value in told.items() if isinstance(told, dict) else ():
        if isinstance(value, str):
            told[name] = clean_text(str(value))


def no_verdict(output: AgentLoopOutput, extra_info: Mapping[str, Any] | None, reason: str) -> None:
    """Make a response one that could not be judged: training leaves it out, and too many of them end the run.

    Args:
        reason: a line, and perhaps a traceback below it, for the error that ends such a run.
    """
    logger.error("no verdict on a response: %s", reason.splitlines()[0])
    outcome = complete_outcome({"score": 0.0, "sandbox_error": 1.0, "feedback": reason}, extra_info, "reward call")
    output.reward_score = outcome["score"]
    output.extra_fields["reward_extra_info"] = outcome
