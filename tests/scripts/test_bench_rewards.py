# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the code reward: all rows run, ratios are of what was measured, and what is wrong is said to be."""

import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {
    "attacks",
    "correct",
    "test-cost",
    "environments",
    "published",
    "repeats",
    "leftovers",
    "feedback",
    "overhead",
}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x: int) -> int:\n    """ Twice x. """\n',
    "canonical_solution": "    return 2 * x\n",
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
}
# Its reference solution fails the last test.
MBPP = {
    "task_id": 17,
    "prompt": "Write a function to halve a number.",
    "code": "def halve(x):\n    return x // 2",
    "test_imports": [],
    "test_list": ["assert halve(4) == 2"],
    "test": "assert halve(5) == 2.5",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What is printed, and the numbers."""
    folder = tmp_path_factory.mktemp("rewards")
    for name, record in (("humanevalplus", HUMANEVAL), ("mbppplus", MBPP)):
        (folder / f"{name}.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    numbers = folder / "rewards.json"
    arguments = ["--quick", "--evalplus-dir", str(folder), "--json", str(numbers)]
    output = subprocess.run(
        [sys.executable, "scripts/bench_rewards.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    ).stdout
    return output, json.loads(numbers.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows(made):
    """The numbers of all goals."""
    return made[1]["rows"]


@pytest.fixture
def scripts(monkeypatch):
    """The script's parts, as it imports them."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "")
    import published_reward_model
    import reward_leftovers
    import reward_row
    import reward_verdicts

    return SimpleNamespace(
        published=published_reward_model, leftovers=reward_leftovers, row=reward_row, verdicts=reward_verdicts
    )


def figures_of(rows, name, what):
    [row] = [row for row in rows if row["name"] == name and what in row["what"]]
    return row["figures"], row


def test_every_row_is_in_the_table_with_its_goal(made, rows):
    output, numbers = made
    lines = [line.split(" | ") for line in output.splitlines() if re.match(r"\| [a-z-]+ \|", line)][1:]
    assert {row["name"] for row in rows} == NAMES
    assert [[each.strip("| ") for each in line[:4]] for line in lines] == [
        [row["name"], row["what"], row["goal"], row["reached"]] for row in rows
    ]
    assert output.startswith("In force: system-call filter")
    assert numbers["is_quick"]
    assert "the figures mean nothing" in output
    assert numbers["machine"]["processors"] == len(os.sched_getaffinity(0))


def test_a_goal_that_is_missed_is_said_and_fails_nothing(made, rows):
    figures, row = figures_of(rows, "repeats", "mbpp_plus")
    assert figures["faults"] == ["17"] * 2
    assert not row["is_met"]
    assert "| 0 | 2 of 2 (17, 17) | NO |" in made[0]


def test_reference_solutions_that_are_right_are_accepted(rows):
    figures, row = figures_of(rows, "repeats", "humaneval_plus")
    assert (figures["faults"], figures["problems"], row["is_met"]) == ([], 1, True)


def test_ratios_are_of_what_was_measured_in_the_run(rows):
    cost, row = figures_of(rows, "test-cost", "medians")
    assert len(cost["own"]) == len(cost["bare"]) == 10
    ratio = statistics.median(cost["own"]) / statistics.median(cost["bare"])
    assert cost["median_ratio"] == pytest.approx(ratio)
    assert row["reached"].startswith(f"{ratio:.2f} ")
    assert row["is_met"] == (ratio <= 0.8)
    beside, _ = figures_of(rows, "published", "design's")
    assert beside["ratio"] == pytest.approx(beside["ours"]["rates"][0] / beside["published"]["rates"][0])
    sizes, _ = figures_of(rows, "published", "slow-down")
    assert sizes["ratio"] == pytest.approx(sizes["small"]["rates"][0] / sizes["large"]["rates"][0])
    problem, _ = figures_of(rows, "overhead", "")
    assert problem["own"] == pytest.approx(5 * 0.02)
    assert problem["more"] == pytest.approx(statistics.median(problem["seconds"]) / 0.1 - 1)
    # A program cannot be over before the time that it uses is; kept results would be.
    assert min(problem["seconds"]) > 0.1


def test_processes_have_the_size_that_is_said(rows):
    sizes, _ = figures_of(rows, "published", "slow-down")
    assert sizes["large"]["resident"] == pytest.approx(256 * 2**20, rel=0.15)
    assert sizes["small"]["resident"] < 100 * 2**20
    beside, _ = figures_of(rows, "published", "design's")
    for side in ("ours", "published"):
        assert beside[side]["resident"] == pytest.approx(128 * 2**20, rel=0.15)


def test_the_mixed_programs_end_in_many_ways(rows):
    figures, _ = figures_of(rows, "leftovers", "left after")
    assert sum(figures["statuses"].values()) == 60
    assert {"finished", "runtime_error", "compile_error", "time_limit"} <= set(figures["statuses"])


def test_every_environment_is_asked(rows):
    figures, row = figures_of(rows, "environments", "")
    if row["is_met"] is None:
        pytest.skip(row["reached"])
    layers = {name: each["layers"] for name, each in figures["environments"].items()}
    assert len(layers) == 4
    assert "NO namespaces" in layers["without_namespaces"]
    assert "NO Landlock" in layers["without_landlock"]


@pytest.mark.parametrize(("kind", "verdict"), [("attacks", "accepted"), ("correct", "wrong_answer")])
def test_a_sandbox_that_judges_wrongly_is_caught(scripts, monkeypatch, kind, verdict):
    said = SimpleNamespace(verdict=verdict, has_escaped=False)
    monkeypatch.setattr(scripts.verdicts, "judge_all", lambda sandbox, programs: [said] * len(programs))
    row = scripts.verdicts.corpus_row(kind, "here", scripts.row.FULL, None)
    assert row.is_met is False
    programs = scripts.verdicts.corpus(kind, scripts.row.FULL)
    allowed = [program for program in programs if "accepted" in program.spec.get("verdicts", [])]
    assert len(row.figures["faults"]) == len(programs) - len(allowed) > 100


def test_an_attack_that_escapes_is_a_fault_whatever_its_verdict(scripts):
    program = SimpleNamespace(spec={"verdicts": ["runtime_error", "accepted"]})
    for verdict, has_escaped in (("runtime_error", True), ("accepted", True)):
        assert scripts.verdicts.passes_or_escapes(program, SimpleNamespace(verdict=verdict, has_escaped=has_escaped))
    assert not scripts.verdicts.passes_or_escapes(program, SimpleNamespace(verdict="accepted", has_escaped=False))


def test_what_is_left_is_counted(scripts, tmp_path):
    before = scripts.leftovers.trace(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    sleeping = "import subprocess; subprocess.run(['sleep', '60'])"
    with (
        open(os.devnull) as _,
        subprocess.Popen([sys.executable, "-c", sleeping], process_group=0) as child,
    ):
        deadline = time.monotonic() + 20
        while (more := scripts.leftovers.trace(tmp_path).more_than(before)).processes < 2:
            assert time.monotonic() < deadline
        os.killpg(child.pid, 9)
    assert more == (2, 1, 2)


def test_busy_processes_are_gone_afterwards(scripts):
    before = len(scripts.leftovers.descendants())
    with scripts.verdicts.busy(2):
        assert len(scripts.leftovers.descendants()) == before + 2
    assert len(scripts.leftovers.descendants()) == before


def test_the_stand_in_for_the_published_design_judges_programs(scripts):
    before = set(multiprocessing.active_children())
    passed = scripts.published.passed_tests
    tests = [("1\n", "2\n"), ("2\n", "3\n"), ("5\n", "7\n")]
    assert passed("print(int(input()) + 1)", tests) == [True, True, False]
    assert passed("print(2)\n1 / 0", tests[:1]) == [False]
    assert passed("import os\nos._exit(0)", tests[:1]) == [False]
    assert passed("import threading", [("", "")]) == [False]
    begun = time.monotonic()
    assert passed("while True: pass", tests, time_limit=0.1) == [False] * 3
    # One budget, not one each.
    assert time.monotonic() - begun < 2.5
    assert set(multiprocessing.active_children()) <= before


def test_the_caller_is_as_it_was_after_the_stand_in(scripts):
    scripts.published.passed_tests("print(1)", [("", "1")])
    assert callable(os.kill)
    assert sys.modules.get("threading") is not None


def test_a_percentile_is_the_least_value_that_is_enough(scripts):
    assert scripts.row.percentile(range(1, 101), 0.99) == 99
    assert scripts.row.percentile(range(1, 11), 0.99) == 10
    assert scripts.row.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert scripts.row.percentile([7.0], 0.99) == 7.0
