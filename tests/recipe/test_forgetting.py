# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Table 5's commands: a checkpoint of section 4 is exported and goes to the harness."""

import shlex

import pytest

from tests.recipe.commands import script, value_of

RUN = "recipe/forgetting/run.sh"


def model_of(harness):
    return harness[harness.index("--model_args") + 1]


@pytest.mark.parametrize("method", ["sdpo", "grpo", "sft_on_teacher"])
def test_the_checkpoint_is_that_of_section_4s_run(tmp_path, method):
    run = script((RUN, method), tmp_path, DRY_RUN="1", SEED="2", CHECKPOINT="runs/global_step_90")
    assert run.returncode == 0, run.stderr
    export, harness = (shlex.split(line) for line in run.stdout.splitlines())
    assert export[:5] == ["python", "-m", "verl_sdpo.checkpoint", "export", "runs/global_step_90"]
    exported = export[export.index("--to") + 1]
    own = tmp_path / "out" / "forgetting" / "harness" / "qwen3-8b" / method / "seed2"
    assert exported == str(own / "evaluation" / "model")
    assert f"pretrained={exported}," in model_of(harness)
    trained = script(("recipe/livecodebench/run.sh", method), tmp_path, DRY_RUN="1", SEED="2").stdout
    place = value_of(shlex.split(trained), "trainer.default_local_dir")
    found = script((RUN, method), tmp_path, DRY_RUN="1", SEED="2").stdout
    # Not there yet, so that nothing is exported.
    assert f"pretrained={place}," in model_of(shlex.split(found))


def test_the_model_before_training_is_not_exported(tmp_path):
    run = script((RUN, "base"), tmp_path, DRY_RUN="1", MODEL="Qwen/Qwen3-4B")
    [line] = run.stdout.splitlines()
    assert "pretrained=Qwen/Qwen3-4B," in model_of(shlex.split(line))
    assert list(tmp_path.iterdir()) == []
