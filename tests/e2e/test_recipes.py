# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One run of each section's recipe, two steps on the CPU, and all the others for scripts/soak.sh."""

from pathlib import Path

import pytest

from tests.e2e.recipe_run import note_in_table, smoke_run
from tests.recipe.commands import every_run

SCIENCE, CODE, TEST_TIME = (f"recipe/{name}/run.sh" for name in ("science_qa", "livecodebench", "test_time"))
# What the usual tests run; each is about a minute on two cores.
IN_TESTS = [(SCIENCE, "chemistry", "sdpo"), (CODE, "sdpo", "feedback_both_attempt"), (TEST_TIME, "hard", "sdpo")]
# These differ from another run in numbers only: rates and batch sizes; a set of other questions; the plain run's own.
LEFT_OUT = (
    *("jsd", "lr", "fkl_lr1e-6", "fkl_lr1e-5_mbs32"),
    "questions",
    *("teacher_ema", "feedback_both"),
)
OTHERS = [
    run
    for run in every_run()
    if run not in IN_TESTS
    and not run[-1].startswith(LEFT_OUT)
    and "very_hard" not in run
    # A task is other data, and of tool use another reward, to one method as to all.
    and (run[0] != SCIENCE or "chemistry" in run or run[2] == "sdpo")
]


def named(run):
    return "-".join((Path(run[0]).parent.name, *run[1:]))


def check(run, out):
    """It ends well, and its folder is what docs/reproduce.md says."""
    made = smoke_run(run, out)
    note_in_table(run, made)
    assert made.exit_status == 0, made.output
    assert made.read("status.json")["state"] == "finished"
    facts = made.read("run.json")
    assert (facts["experiment"], facts["seed"], facts["smoke"]) == (Path(run[0]).parent.name, 0, True)
    assert (made.folder / "hydra" / ".hydra" / "config.yaml").exists()
    if run[0] != TEST_TIME:
        assert (made.folder / "checkpoints" / "latest_checkpointed_iteration.txt").read_text() == "2"
        assert set(made.metrics()) >= {1, 2}
        assert any(name.startswith("val-core/") for name in made.metrics()[2])
    return made


@pytest.mark.e2e
@pytest.mark.parametrize("run", IN_TESTS, ids=named)
def test_a_recipe_of_each_section_runs_and_is_not_run_twice(tmp_path, run):
    made = check(run, tmp_path)
    if run[0] == CODE:
        # Only feedback, since nothing is solved: each sample has a target, and the student moves.
        assert made.metrics()[1]["self_distillation/feedback_used_fraction"] == 1.0
        assert made.metrics()[1]["actor/grad_norm"] > 0
    if run[0] == TEST_TIME:
        results = made.read("results.json")
        assert results["budget"] == 4
        assert [question["generations"] for question in results["questions"].values()] == [4, 4]
    again = smoke_run(run, tmp_path)
    assert again.exit_status == 0
    assert "already finished" in again.output


@pytest.mark.long
@pytest.mark.parametrize("run", OTHERS, ids=named)
def test_every_other_method_and_variant_runs(tmp_path, run):
    made = check(run, tmp_path)
    if run[-1] == "sft_on_teacher":
        # Each question has its hint: feedback on the untrained model's attempt.
        assert made.metrics()[1]["self_distillation/generated_by_teacher_fraction"] == 1.0
