# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The corpora's programs through the code reward: what verdict, and what of them got out."""

import json
from typing import NamedTuple

from tests.sandbox.programs import Program, escapes_told
from verl_sdpo.rewards.code_runs import run_test
from verl_sdpo.rewards.code_truth import CodeTest, CodeTruth
from verl_sdpo.sandbox import LocalSandbox


class Judged(NamedTuple):
    """What came of a program."""

    verdict: str
    has_escaped: bool


def truth_of(program: Program) -> CodeTruth:
    """The ground truth that a program's spec describes: one test."""
    spec = program.spec
    if spec["kind"] == "function":
        test = CodeTest(json.dumps(spec["args"]), json.dumps(spec["value"]))
    elif spec["kind"] == "asserts":
        test = CodeTest(spec["tests"], "")
    else:
        test = CodeTest(spec.get("stdin", ""), spec["expected"])
    function = None if spec["kind"] == "stdin" else spec.get("function", "f")
    return CodeTruth(spec["kind"], (test,), function, spec.get("setup", ""), spec["cpu_seconds"], None, None)


def judge(sandbox: LocalSandbox, program: Program) -> Judged:
    """The verdict, and whether the program told that it got out."""
    outcome = run_test(sandbox, program.source, truth_of(program), 0)
    return Judged(str(outcome.verdict), bool(escapes_told(_bytes(outcome.output), _bytes(outcome.stderr))))


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
