# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A row of Table 5 by the real lm-evaluation-harness, where it is installed: from a checkpoint to the report.

The tasks are the harness's own; their questions, which it takes from the hub, are a few of ours in the same columns.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.e2e.recipe_run import note_in_table, smoke_run
from tests.evaluate.tiny_world import write_run

RUN = ("recipe/forgetting/run.sh", "sdpo")
LM_EVAL = shutil.which(os.environ.get("LM_EVAL", "lm_eval"))
SUBJECTS = (
    *("biology", "business", "chemistry", "computer science", "economics", "engineering", "health", "history", "law"),
    *("math", "other", "philosophy", "physics", "psychology"),
)


def write_questions(folder):
    """datasets takes a folder of the name that it would look up on the hub, below the working directory."""
    # Whatever 16 tokens say is less than the one and not more than the other, unless they say nothing.
    instructions = [
        {
            "key": key,
            "prompt": f"Write {relation} {words} words.",
            "instruction_id_list": ["length_constraints:number_words"],
            "kwargs": [{"relation": relation, "num_words": words}],
        }
        for key, (relation, words) in enumerate([("less than", 100), ("at least", 100)])
    ]
    choices = [
        {
            "question_id": index,
            "question": f"Which number is {index}? ({subject})",
            "options": [str(index + more) for more in range(10)],
            "answer": "A",
            "answer_index": 0,
            "cot_content": "A: Let's think step by step. It is the first. The answer is (A).",
            "category": subject,
            "src": "ours",
        }
        for subject in SUBJECTS
        for index in range(5)
    ]
    write_lines(folder / "google" / "IFEval" / "train.jsonl", instructions)
    for split in ("test", "validation"):
        write_lines(folder / "TIGER-Lab" / "MMLU-Pro" / f"{split}.jsonl", choices)


def write_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.mark.long
@pytest.mark.skipif(LM_EVAL is None, reason="lm_eval is not installed; LM_EVAL may name it")
def test_a_row_of_table_5_from_a_checkpoint_to_the_report(tmp_path):
    write_questions(tmp_path)
    write_run(tmp_path / "run")
    made = smoke_run(RUN, tmp_path, CHECKPOINT="run", LM_EVAL=LM_EVAL, HF_HUB_OFFLINE="1")
    note_in_table(RUN, made)
    assert made.exit_status == 0, made.output
    [results] = (made.folder / "evaluation").rglob("results*.json")
    measured = json.loads(results.read_text(encoding="utf-8"))["results"]
    assert {"ifeval", "mmlu_pro", "mmlu_pro_law"} <= measured.keys()
    command = [sys.executable, "-m", "verl_sdpo.reports", str(tmp_path), "--output", "report", "--smoke"]
    subprocess.run(command, cwd=tmp_path, check=True)
    index = (tmp_path / "report" / "index.md").read_text(encoding="utf-8")
    [row] = [line for line in index.splitlines() if line.startswith("| forgetting | harness | tiny | sdpo | 1 |")]
    scores = [measured["ifeval"]["prompt_level_strict_acc,none"], measured["mmlu_pro"]["exact_match,custom-extract"]]
    assert row.split("|")[6:8] == [f" {100 * score:.1f} " for score in scores]
    assert scores[0] == 0.5
