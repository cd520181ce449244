# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Correct programs pass and attacks do not, whatever the machine is doing and wherever it runs."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox import environments
from tests.sandbox.judge import judge
from tests.sandbox.programs import attack_programs, correct_programs, missing_needs
from verl_sdpo.sandbox import LocalSandbox, SandboxSettings

CORRECT = [program for program in correct_programs() if not missing_needs(program.spec)]
ATTACKS = [program for program in attack_programs() if not missing_needs(program.spec)]
# Enough to see a layer that is missing; scripts/bench_rewards.py takes them all.
SAMPLE = [program.id for program in (CORRECT + ATTACKS)[::4]]


@pytest.fixture
def sandbox():
    own = LocalSandbox(SandboxSettings())
    yield own
    own.close()


def judged(sandbox, programs, num_threads=None):
    with ThreadPoolExecutor(num_threads or 2 * os.cpu_count()) as pool:
        return list(zip(programs, pool.map(lambda program: judge(sandbox, program), programs), strict=True))


def failures(results):
    return {program.id: result.verdict for program, result in results if result.verdict != "accepted"}


def test_correct_programs_are_accepted(sandbox):
    assert failures(judged(sandbox, CORRECT)) == {}


def spin(stop):
    while not stop.is_set():
        for _ in range(10**6):
            pass


def test_correct_programs_are_accepted_on_a_busy_machine():
    """Every processor has two other processes to run, and four programs at once."""
    stop = multiprocessing.Event()
    busy = [multiprocessing.Process(target=spin, args=(stop,)) for _ in range(2 * os.cpu_count())]
    own = LocalSandbox(SandboxSettings(num_slots=4 * os.cpu_count()))
    for process in busy:
        process.start()
    try:
        assert failures(judged(own, CORRECT, 4 * os.cpu_count())) == {}
    finally:
        stop.set()
        for process in busy:
            process.join()
        own.close()


def test_correct_programs_are_accepted_from_a_parent_of_two_gigabytes(sandbox):
    ballast = os.urandom(4096) * (2**31 // 4096)
    assert failures(judged(sandbox, CORRECT[::3])) == {}
    assert len(ballast) == 2**31


def test_attacks_neither_pass_nor_get_out(sandbox):
    results = judged(sandbox, ATTACKS)
    wrong = {
        program.id: result
        for program, result in results
        if result.verdict not in program.spec["verdicts"] or result.has_escaped
    }
    assert wrong == {}
    by_design = {program.id for program, result in results if result.verdict == "accepted"}
    assert by_design <= {"I10_memory_error_then_right"}


@pytest.fixture(scope="module")
def at_home():
    if reason := environments.why_not_here():
        pytest.skip(reason)
    return environments.run_in("root", SAMPLE).verdicts


@pytest.mark.parametrize("name", [name for name in environments.NAMES if name != "root"])
def test_the_verdicts_are_the_same_in_another_environment(at_home, name):
    ran = environments.run_in(name, SAMPLE)
    told = {
        "plain_user": "the caller's user without privileges",
        "without_namespaces": "NO namespaces",
        "without_landlock": "NO Landlock",
    }
    assert told[name] in ran.layers
    races = {program.id for program in CORRECT + ATTACKS if program.spec["races"]}
    differing = {key: (at_home[key], verdict) for key, verdict in ran.verdicts.items() if at_home[key] != verdict}
    assert {key: both for key, both in differing.items() if key not in races} == {}
    assert ran.verdicts.keys() == at_home.keys() == set(SAMPLE)
    assert not any("ESCAPED" in verdict for verdict in ran.verdicts.values())


def test_without_namespaces_and_landlock_nothing_is_run():
    if reason := environments.why_not_here():
        pytest.skip(reason)
    source = (
        "from tests.sandbox.environments import _change\n_change('without_namespaces')\n_change('without_landlock')\n"
        "from verl_sdpo import sandbox\n"
        "try:\n    sandbox.run('print(1)')\nexcept sandbox.SandboxRefused as error:\n    print('refused:', error)\n"
        "relaxed = sandbox.SandboxSettings(required=())\n"
        "print(sandbox.run('print(1)', settings=relaxed).stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=environments.ROOT, capture_output=True, text=True, check=True
    )
    refused, relaxed = done.stdout.splitlines()
    assert refused.startswith("refused: the sandbox lacks the required layer 'filesystem' (no namespaces: ")
    assert relaxed == "b'1\\n'"
