# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programming: does the program of a response pass its tests?

The response's last block of Python is run in the sandbox, once for each test; what it writes or returns is compared
here, outside of it. See ``code_truth`` for what a test is, ``verl_sdpo.sandbox`` for what a program can do.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from verl_sdpo.rewards.code_block import find_code
from verl_sdpo.rewards.code_feedback import FEEDBACK_TESTS, TestOutcome, code_feedback, no_code_feedback
from verl_sdpo.rewards.code_runs import run_test
from verl_sdpo.rewards.code_truth import CodeTruth, read_code_truth
from verl_sdpo.rewards.code_verdict import NOT_THE_PROGRAMS, Verdict
from verl_sdpo.rewards.outcome import is_truncated
from verl_sdpo.sandbox import Layers, Sandbox, SandboxSettings, doctor, sandbox_for

logger = logging.getLogger(__name__)

_LOCK = threading.Lock()
# Sandboxes that were found sound in this process, with their layers.
_SOUND: dict[Sandbox, Layers] = {}


def compute_score(
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    dense_score: bool = False,
    feedback_tests: str = "all",
    sandbox: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Score 1 where all tests are passed, else 0, or the fraction that is passed.

    Args:
        solution_str: the response.
        ground_truth: the tests, as ``code_truth`` specifies them.
        extra_info: the row's; only ``truncated`` is read.
        dense_score: the score is the fraction of tests that are passed. All tests are run then; otherwise none after
            the first that the program does not end by itself or without an error.
        feedback_tests: whose inputs and outputs the feedback shows: of ``all`` tests, of ``public`` ones, of ``none``.
        sandbox: fields of ``verl_sdpo.sandbox.SandboxSettings``, where they are not the defaults.

    Returns:
        ``score``, ``acc``, ``feedback``, ``incorrect_format`` (1.0 where there is no code), ``timed_out``, and
        ``sandbox_error`` and ``bad_test``, 1.0 where no verdict is possible and the program is not to blame: the
        reason is logged.

    Raises:
        ValueError: the ground truth or an option is broken.
        SandboxRefused: programs cannot be run on this machine as the settings require.
    """
    if feedback_tests not in FEEDBACK_TESTS:
        raise ValueError(f"feedback_tests {feedback_tests!r}: choose one of {', '.join(FEEDBACK_TESTS)}")
    truth = read_code_truth(ground_truth)
    code = find_code(solution_str, truth.function).code
    if code is None:
        return {"score": 0.0, "feedback": no_code_feedback(is_truncated(extra_info)), "incorrect_format": 1.0}
    outcomes = list(_outcomes(_sandbox(sandbox), code, truth, stops=not dense_score))
    verdicts = {outcome.verdict for outcome in outcomes}
    if unclear := verdicts & NOT_THE_PROGRAMS:
        reason = next(outcome.reason for outcome in outcomes if outcome.verdict in unclear)
        logger.warning("no verdict on a program: %s: %s", ", ".join(sorted(unclear)), reason or "no reason is known")
        return {"score": 0.0} | {str(verdict): 1.0 for verdict in unclear}
    passed = sum(outcome.verdict == Verdict.ACCEPTED for outcome in outcomes)
    is_right = passed == len(truth.tests)
    return {
        "score": passed / len(truth.tests) if dense_score else float(is_right),
        "acc": float(is_right),
        "feedback": "" if is_right else code_feedback(outcomes, truth, feedback_tests),
        "timed_out": float(Verdict.TIME_LIMIT in verdicts),
    }


def check_ground_truth(ground_truth: str, extra_info: Mapping[str, Any] | None = None) -> None:
    """Refuses a broken ground truth.

    Raises:
        ValueError: which field is not as specified.
    """
    read_code_truth(ground_truth)


def check_machine(options: Mapping[str, Any]) -> str:
    """Refuses a machine on which programs cannot be run, or not safely: before a run, and in each process that scores.

    Args:
        options: this reward's; ``sandbox`` is read.

    Returns:
        A line about what isolates programs here.

    Raises:
        ValueError: the options are broken, or (SandboxRefused) what a program could do here.
    """
    sandbox = _sandbox(options.get("sandbox"))
    # Whoever only asks needs no interpreters that wait for programs.
    sandbox.close()
    return f"sandbox in force: {_SOUND[sandbox]}"


def _outcomes(sandbox: Sandbox, code: str, truth: CodeTruth, *, stops: bool) -> Iterator[TestOutcome]:
    for index in range(len(truth.tests)):
        outcome = run_test(sandbox, code, truth, index)
        yield outcome
        if outcome.verdict in NOT_THE_PROGRAMS or outcome.verdict == Verdict.COMPILE_ERROR:
            return
        if stops and outcome.verdict not in (Verdict.ACCEPTED, Verdict.WRONG_ANSWER):
            return


def _sandbox(fields: Mapping[str, Any] | None) -> Sandbox:
    settings = _settings(tuple(sorted((name, _hashable(value)) for name, value in (fields or {}).items())))
    sandbox = sandbox_for(settings)
    if sandbox not in _SOUND:
        with _LOCK:
            # Another thread may have been faster.
            if sandbox not in _SOUND:
                _SOUND[sandbox] = doctor.check_machine(sandbox, settings.warm_packages())
                logger.info("sandbox in force: %s", _SOUND[sandbox])
    return sandbox


@lru_cache
def _settings(fields: tuple[tuple[str, Any], ...]) -> SandboxSettings:
    try:
        return SandboxSettings(**dict(fields))
    except TypeError as error:
        known = ", ".join(SandboxSettings.__dataclass_fields__)
        raise ValueError(f"option sandbox has fields {[name for name, _ in fields]}; known: {known}") from error


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else tuple(value)
