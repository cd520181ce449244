# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation with the real engine, on the CPU: a checkpoint whose teacher is another model than its student."""

import json
import subprocess
import sys
from statistics import fmean

import pyarrow.parquet as pq
import pytest

from tests.evaluate.tiny_world import REWARD, write_data, write_run
from verl_sdpo.checkpoint.export import export

# Three starts of the engine: 100 s of processor time, which on a machine that others use may take long.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

LENGTH = 16
# Of "sampled" more than the engine reads at a time, so that a prompt would be split between two of its steps: a request
# with a seed must not be on a CPU, where a random generator cannot be set back.
NUM_QUESTIONS = {"student": 6, "teacher": 6, "sampled": 300}
# One process: what is imported once need not be imported again. The guard is for the engine's own processes.
PROGRAM = """
import json, sys
from verl_sdpo.evaluate.__main__ import main as evaluate
if __name__ == "__main__":
    sys.exit(max(evaluate(arguments) for arguments in json.load(open(sys.argv[1]))))
"""


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Rows of responses.parquet and the results, by what was evaluated."""
    root = tmp_path_factory.mktemp("evaluate")
    run = write_run(root / "run")
    data = {name: write_data(root / f"{name}.parquet", "A" * number) for name, number in NUM_QUESTIONS.items()}
    (root / "reward.py").write_text(REWARD)
    exported = str(export(root / "run", root / "exported"))
    cases = {
        "student": [run, "--greedy"],
        "teacher": [run, "--greedy", "--teacher"],
        # So little of the distribution is left that only the likeliest token is drawn, whatever the seed.
        "sampled": [exported, "--n", "2", "--top-p", "0.000001", "--seed", "7"],
    }
    shared = ["--device", "cpu", "--max-response-length", str(LENGTH)]
    shared += ["--reward", str(root / "reward.py")]
    calls = [[*case, *shared, "--data", data[name], "--output", str(root / name)] for name, case in cases.items()]
    (root / "calls.json").write_text(json.dumps(calls))
    (root / "program.py").write_text(PROGRAM)
    with (root / "log").open("w") as log:
        status = subprocess.run(
            [sys.executable, str(root / "program.py"), str(root / "calls.json")], stdout=log, stderr=log, timeout=1700
        ).returncode
    assert status == 0, (root / "log").read_text()[-4000:]
    return {
        name: (
            pq.read_table(root / name / "responses.parquet").to_pylist(),
            json.loads((root / name / "results.json").read_text())["data_sources"],
        )
        for name in cases
    }


def texts(rows, attempt=0):
    return [row["response"] for row in rows if row["attempt"] == attempt]


def test_greedy_is_deterministic_and_a_checkpoint_is_its_exported_model(evaluated):
    student, sampled = evaluated["student"][0], evaluated["sampled"][0]
    number = NUM_QUESTIONS["student"]
    assert len(texts(student)) == number
    assert texts(student) == texts(sampled, 0)[:number] == texts(sampled, 1)[:number]


def test_student_and_teacher_answer_differently(evaluated):
    assert all(a != b for a, b in zip(texts(evaluated["student"][0]), texts(evaluated["teacher"][0])))


def test_the_results_agree_with_a_recount_of_the_responses(evaluated):
    for (name, (rows, told)), n in zip(evaluated.items(), (1, 1, 2)):
        assert len(rows) == n * NUM_QUESTIONS[name]
        judged = [row for row in rows if row["no_verdict"] is None]
        # The reward's rule, on the texts as they are in the file.
        assert all(row["acc"] == len(row["response"]) % 2 for row in judged)
        assert all(row["no_verdict"] == "sandbox_error" for row in rows if row["response"].count("!") == 1)
        groups = {row["question"]: [r["acc"] for r in judged if r["question"] == row["question"]] for row in judged}
        assert told["all"][f"avg@{n}"]["value"] == pytest.approx(fmean(map(fmean, groups.values())))
        full = [group for group in groups.values() if len(group) == n]
        assert told["all"][f"pass@{n}"]["value"] == pytest.approx(fmean(max(group) for group in full))
        assert told["all"]["response_length"]["mean"] == pytest.approx(fmean(row["num_tokens"] for row in rows))
        assert told["all"]["truncated_fraction"] == fmean(row["truncated"] for row in rows)
        # Bytes are this model's tokens: what is no character takes more of them than it shows.
        assert all(0 < row["num_tokens"] <= LENGTH for row in rows)
        assert all(row["num_tokens"] == LENGTH for row in rows if row["truncated"])
