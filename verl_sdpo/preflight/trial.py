# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The reward on one right and one wrong answer, before anything is generated.

For the rewards of this package the answers are fixed ones, to questions of their kind. Nobody knows what another reward
calls right: it gets the first row's ground truth as a response, and an empty one, and must return numbers.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from verl_sdpo import rewards
from verl_sdpo.preflight.data import Seen
from verl_sdpo.preflight.fault import Fault, Findings
from verl_sdpo.preflight.reward_function import FUNCTION, Scorer
from verl_sdpo.rewards.code_truth import CodeTest, truth_text

# For both answers to a question; rewards that ask another service may take longer, which is no fault.
SECONDS = 5.0


class Case(NamedTuple):
    """A question with an answer that must score 1, and one that must score 0."""

    ground_truth: str
    right: str
    wrong: str
    extra_info: Mapping[str, Any] | None = None


_CALL = 'Action: add\nAction Input: {"a": 1}\n'
_SUM = truth_text("stdin", [CodeTest("1 2", "3", is_public=True)], time_limit=2)
_PROGRAM = "```python\na, b = map(int, input().split())\nprint(a {} b)\n```"
_CHOICE = Case("B", "<answer>B</answer>", "<answer>A</answer>", {"details": '{"options": "ABCD"}'})
CASES = {
    **dict.fromkeys(("sciknoweval", "multiple_choice", "gpqa", "mmlu_pro"), _CHOICE),
    **dict.fromkeys(("gsm8k", "math"), Case("12", "So it is \\boxed{12}.", "So it is \\boxed{13}.")),
    "tooluse": Case(json.dumps([{"Action": "add", "Action_Input": '{"a": 1}'}]), _CALL, _CALL.replace("1", "2")),
    "code": Case(_SUM, _PROGRAM.format("+"), _PROGRAM.format("-")),
    "quickstart": Case("red fox", "red fox", "blue fox"),
}


def examine_rewards(config: DictConfig, seen: Seen, scorer: Scorer) -> Findings:
    """Rewards of the data sources that occur, tried on a right and a wrong answer."""
    if scorer.function is None:
        return Findings()
    if OmegaConf.select(config, "reward.reward_model.enable"):
        return Findings([], ["rewards were not tried: they may ask the reward model, which is not served yet"])
    findings, tried = Findings(), set()
    for source in seen.sources() if scorer.is_ours else []:
        name = _registered(source)
        if name in CASES and name not in tried:
            findings += _try_known(source, CASES[name], scorer)
        elif name not in tried and name != "none":
            findings += _try_foreign(source, _first_rows(seen).get(source), scorer)
        tried.add(name)
    if not scorer.is_ours:
        for source, row in list(_first_rows(seen).items())[:1]:
            findings += _try_foreign(source, row, scorer)
    return findings


def _try_known(source: str, case: Case, scorer: Scorer) -> Findings:
    for answer, text, wanted in (("right", case.right, 1.0), ("wrong", case.wrong, 0.0)):
        outcome = _call(scorer, source, text, case.ground_truth, case.extra_info)
        if isinstance(outcome, Findings):
            return outcome
        problem = _result_problem(outcome)
        if problem is None and outcome["score"] != wanted:
            problem = f"a {answer} answer scored {outcome['score']:g}, not {wanted:g}: {outcome.get('feedback') or ''}"
        if problem is not None:
            return Findings([_fault(source, problem[:300], "correct the reward's options (reward_kwargs)")])
    return Findings([], [f"reward of {source}: a right answer scores 1, a wrong one 0"])


def _try_foreign(source: str, row: Mapping[str, Any] | None, scorer: Scorer) -> Findings:
    if row is None:
        return Findings()
    truth, about = row["reward_model"].get("ground_truth"), row.get("extra_info")
    scores = []
    for text in (truth if isinstance(truth, str) else json.dumps(truth, default=str), ""):
        outcome = _call(scorer, row["data_source"], text, truth, about)
        if isinstance(outcome, Findings):
            return outcome
        if (problem := _result_problem(outcome)) is not None:
            return Findings([_fault(source, problem, "return a finite number, or a dict with one as score")])
        scores.append(outcome["score"] if isinstance(outcome, Mapping) else outcome)
    return Findings([], [f"reward of {source}: its ground truth scores {scores[0]:g}, an empty response {scores[1]:g}"])


def _call(scorer: Scorer, source: Any, text: str, truth: Any, about: Any) -> Any:
    """What the function returns; Findings where it raises, or takes too long."""
    arguments = {"data_source": source, "solution_str": text, "ground_truth": truth, "extra_info": dict(about or {})}
    ended, result = _within(SECONDS, lambda: _value(scorer.function(**arguments, **scorer.options)))
    if not ended:
        told = f"the reward of {source} gave no score within {SECONDS:g} s and was not tried further"
        return Findings([Fault("reward", FUNCTION, told, "see that it ends", is_fatal=False)])
    if isinstance(result, BaseException):
        told = " ".join(str(result).split())
        problem = f"it raised {type(result).__name__}: {told}"[:300]
        return Findings([_fault(str(source), problem, "correct the function, or its options (reward_kwargs)")])
    return result


def _value(returned: Any) -> Any:
    return asyncio.run(returned) if inspect.isawaitable(returned) else returned


def _within(seconds: float, work: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether the work ended in time; its value, or what it raised. A thread that hangs keeps nobody from ending."""
    box: list[Any] = []

    def run() -> None:
        try:
            box.append(work())
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run, daemon=True, name="preflight-reward")
    thread.start()
    thread.join(seconds)
    return (True, box[0]) if box else (False, None)


def _result_problem(outcome: Any) -> str | None:
    """Why verl could not use this result; None where it can."""
    if isinstance(outcome, Mapping) and "score" not in outcome:
        return f"it returned a mapping without score, with {', '.join(map(str, outcome)) or 'nothing'}"
    score = outcome["score"] if isinstance(outcome, Mapping) else outcome
    is_number = isinstance(score, int | float) or hasattr(score, "__float__")
    if not is_number or isinstance(score, str):
        return f"it returned {score!r} ({type(score).__name__}) where a number was expected"
    return None if math.isfinite(float(score)) else f"it returned the score {score}, which is not finite"


def _registered(source: str) -> str:
    known, name = rewards.registered_rewards(), source
    while name and name not in known:
        name = name.rpartition("/")[0]
    return name


def _first_rows(seen: Seen) -> dict[str, dict[str, Any]]:
    """A row of each data source, those of the training data first."""
    found: dict[str, dict[str, Any]] = {}
    for split in seen.splits.values():
        for source, row in split.first_rows.items():
            found.setdefault(source, row)
    return found


def _fault(source: str, problem: str, remedy: str) -> Fault:
    return Fault("reward", FUNCTION, f"the reward of data source {source!r} failed its trial: {problem}", remedy)
