# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What comes of programs of which it is known: the corpora idle, under load, oversubscribed and elsewhere; feedback."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reward_row import Row, Scale, of_total

from verl_sdpo.sandbox import LocalSandbox, SandboxSettings

ROOT = Path(__file__).parents[1]
SIDE = Path(__file__).with_name("reward_side.py")
# While it is not orphaned.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
LOAD, OVERSUBSCRIPTION = 2, 4
EVALPLUS = {"humaneval_plus": "humaneval", "mbpp_plus": "mbpp"}


def corpus_rows(kind: str, scale: Scale, num_slots: int | None = None) -> list[Row]:
    """Rows of the attacks or of the correct programs, on this machine as it is and with busy processes beside."""
    count = LOAD * processors()
    idle = corpus_row(kind, "idle", scale, num_slots)
    with busy(count):
        loaded = corpus_row(kind, f"beside {count} busy processes", scale, num_slots)
    return [idle, loaded]


def corpus_row(kind: str, where: str, scale: Scale, num_slots: int | None) -> Row:
    programs = corpus(kind, scale)
    with fresh_sandbox(num_slots) as sandbox:
        judged = judge_all(sandbox, programs)
    is_fault = passes_or_escapes if kind == "attacks" else is_refused
    faults = [
        f"{program.id}: {said.verdict}"
        for program, said in zip(programs, judged, strict=True)
        if is_fault(program, said)
    ]
    odd = [
        f"{program.id}: {said.verdict}"
        for program, said in zip(programs, judged, strict=True)
        if said.verdict not in program.spec.get("verdicts", ["accepted"])
    ]
    reached = of_total(faults, len(programs))
    if kind == "attacks":
        reached += f"; another verdict than named: {of_total(odd, len(programs))}"
    what = "attacks that pass or escape" if kind == "attacks" else "correct programs not accepted"
    figures = {"programs": len(programs), "faults": faults, "other_verdicts": odd}
    return Row(kind, f"{what}, {where}", "0", reached, not faults, figures)


def passes_or_escapes(program: Any, said: Any) -> bool:
    is_allowed = "accepted" in program.spec["verdicts"]
    return said.has_escaped or (said.verdict == "accepted" and not is_allowed)


def is_refused(program: Any, said: Any) -> bool:
    return said.verdict != "accepted"


def corpus(kind: str, scale: Scale) -> list[Any]:
    """The programs of `tests/sandbox/programs` that this machine has all for; ``both`` for both kinds."""
    programs = tests_module("tests.sandbox.programs")
    lists = {"attacks": programs.attack_programs, "correct": programs.correct_programs}
    found = [program for name, read in lists.items() if kind in (name, "both") for program in read()[:: scale.every]]
    # Attacks look for it in the environment that they must not see.
    os.environ["SECRET_OF_THE_PARENT"] = programs.SECRET
    return [program for program in found if not programs.missing_needs(program.spec)]


def judge_all(sandbox: LocalSandbox, programs: list[Any], num_threads: int | None = None) -> list[Any]:
    judge = tests_module("tests.sandbox.judge").judge
    with ThreadPoolExecutor(num_threads or processors()) as pool:
        return list(pool.map(lambda program: judge(sandbox, program), programs))


def tests_module(name: str) -> Any:
    """A module of the tests, which are not installed."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(name)


@contextlib.contextmanager
def fresh_sandbox(num_slots: int | None = None) -> Iterator[LocalSandbox]:
    """One that has kept no results."""
    sandbox = LocalSandbox(SandboxSettings(num_slots=num_slots))
    try:
        yield sandbox
    finally:
        sandbox.close()


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes beside, each of which takes a processor."""
    processes = [subprocess.Popen([sys.executable, "-S", "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def processors() -> int:
    return len(os.sched_getaffinity(0))


def oversubscribed_rows(scale: Scale, evalplus: Path | None) -> list[Row]:
    """Rows of the correct programs and of EvalPlus's reference solutions, more at once than there are processors."""
    slots = OVERSUBSCRIPTION * processors()
    programs = corpus("correct", scale)
    faults = []
    for _ in range(scale.repeats):
        with fresh_sandbox(slots) as sandbox:
            judged = judge_all(sandbox, programs, slots)
        faults += [
            f"{program.id}: {said.verdict}" for program, said in zip(programs, judged) if is_refused(program, said)
        ]
    what = f"not accepted, {slots} at once, {scale.repeats} times each: "
    total = scale.repeats * len(programs)
    rows = [Row("repeats", what + "correct programs", "0", of_total(faults, total), not faults, {"faults": faults})]
    for name, part in EVALPLUS.items():
        rows.append(evalplus_row(name, evalplus_file(evalplus, part), what, scale))
    return rows


def evalplus_file(folder: Path | None, part: str) -> Path | None:
    if folder is None:
        return None
    found = sorted(path for path in folder.iterdir() if part in path.name.lower().replace("_", ""))
    return found[0] if found else None


def evalplus_row(name: str, path: Path | None, what: str, scale: Scale) -> Row:
    """The reference solutions of a dataset's file through the reward."""
    what += f"reference solutions of {name}"
    if path is None:
        return Row("repeats", what, "0", "data not at hand (--evalplus-dir)", None, {})
    problems = evalplus_problems(name, path)[:: scale.every]
    slots = OVERSUBSCRIPTION * processors()
    faults: list[str] = []
    for repeat in range(scale.repeats):
        faults += refused_problems(problems, slots, repeat)
    total = scale.repeats * len(problems)
    return Row("repeats", what, "0", of_total(faults, total), not faults, {"faults": faults, "problems": len(problems)})


def evalplus_problems(name: str, path: Path) -> list[dict[str, Any]]:
    """Rows of a dataset with their solutions, as its command makes them."""
    from data_preprocess.dataset import Place
    from data_preprocess.records import read_records

    dataset = tests_module(f"data_preprocess.{name}").DATASET
    options = Namespace(with_solution=True, time_limit=30.0)
    return [dataset.convert(each.value, Place("test", each.row), options) for each in read_records(path)]


def refused_problems(problems: list[dict[str, Any]], slots: int, repeat: int) -> list[str]:
    from verl_sdpo.rewards.code_answer import compute_score

    def score(row: dict[str, Any]) -> float:
        # The comment keeps results of the repeat before from answering.
        response = row["privileged_context"].removesuffix("```") + f"# {repeat}\n```\n"
        return compute_score(response, row["reward_model"]["ground_truth"], sandbox={"num_slots": slots})["score"]

    with ThreadPoolExecutor(slots) as pool:
        scores = list(pool.map(score, problems))
    return [row["extra_info"]["source_id"] for row, score in zip(problems, scores) if score != 1.0]


def environment_rows(scale: Scale) -> list[Row]:
    """The row on verdicts in environments that isolate by different layers."""
    what, goal = "programs whose verdict depends on the environment", "0"
    # Of a few, the verdict depends on how fast their output is read, in any environment.
    names = [program.id for program in corpus("both", scale) if not program.spec["races"]]
    environments = tests_module("tests.sandbox.environments")
    if reason := environments.why_not_here():
        return [Row("environments", what, goal, reason, None, {})]
    found = {name: environments.run_in(name, names)._asdict() for name in environments.NAMES}
    verdicts = [each["verdicts"] for each in found.values()]
    different = [
        f"{name}: {', '.join(str(each.get(name)) for each in verdicts)}"
        for name in names
        if len({each.get(name) for each in verdicts}) > 1
    ]
    reached = f"{of_total(different, len(names))}; in {', '.join(found)}"
    return [Row("environments", what, goal, reached, not different, {"environments": found})]


def feedback_rows(scale: Scale) -> list[Row]:
    """The row on feedback in fresh processes with fresh sandboxes, the programs each time in another order."""
    texts = [feedback_of_process(first) for first in range(scale.feedback_repeats)]
    same = sum(text[name] == texts[0][name] for text in texts for name in text)
    different = [name for name in texts[0] if len({text[name] for text in texts}) > 1]
    total = sum(map(len, texts))
    reached = f"{same} of {total}" + (f"; not the same: {', '.join(different)}" if different else "")
    figures = {"same": same, "total": total, "different": {name: [text[name] for text in texts] for name in different}}
    is_met = same == total and all(all(text.values()) for text in texts)
    return [Row("feedback", "texts that are the first, byte by byte", "all", reached, is_met, figures)]


def feedback_of_process(first: int) -> dict[str, str]:
    command = [sys.executable, str(SIDE), json.dumps({"side": "feedback", "first": first})]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    return json.loads(done.stdout)
