# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Table 5's commands: a checkpoint of section 4 is exported and goes to the harness."""

import shlex
import sys

import pytest

from tests.evaluate.tiny_world import write_run
from tests.recipe.commands import script, value_of

RUN = "recipe/forgetting/run.sh"


def model_of(harness):
    return harness[harness.index("--model_args") + 1]


@pytest.mark.parametrize("method", ["sdpo", "grpo", "sft_on_teacher"])
def test_the_checkpoint_is_that_of_section_4s_run(tmp_path, method):
    run = script((RUN, method), tmp_path, DRY_RUN="1", SEED="2", CHECKPOINT="runs/global_step_90")
    assert run.returncode == 0, run.stderr
    remove, export, harness = (shlex.split(line) for line in run.stdout.splitlines())
    assert export[:5] == ["python", "-m", "verl_sdpo.checkpoint", "export", "runs/global_step_90"]
    exported = export[export.index("--to") + 1]
    own = tmp_path / "out" / "forgetting" / "harness" / "qwen3-8b" / method / "seed2"
    assert exported == str(own / "evaluation" / "model")
    assert remove == ["rm", "-rf", exported]
    assert f"pretrained={exported}," in model_of(harness)
    trained = script(("recipe/livecodebench/run.sh", method), tmp_path, DRY_RUN="1", SEED="2").stdout
    place = value_of(shlex.split(trained), "trainer.default_local_dir")
    # What would run, whether it is there yet or not.
    found = script((RUN, method), tmp_path, DRY_RUN="1", SEED="2").stdout
    _, export, harness = (shlex.split(line) for line in found.splitlines())
    assert export[4] == place
    assert f"pretrained={exported}," in model_of(harness)


def test_a_model_that_was_exported_before_is_taken_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").touch()
    run = script((RUN, "sdpo"), tmp_path, DRY_RUN="1", CHECKPOINT="mine")
    [line] = run.stdout.splitlines()
    assert "pretrained=mine," in model_of(shlex.split(line))


def test_a_checkpoint_under_another_name_is_refused_before_the_run_begins(tmp_path):
    """Ours have a config.json of their own, and would pass for a model; the export knows the step by the name."""
    write_run(tmp_path / "run", settings={})
    (tmp_path / "run" / "global_step_4").rename(tmp_path / "best")
    run = script((RUN, "sdpo"), tmp_path, CHECKPOINT="best", LM_EVAL="true", PYTHON=sys.executable)
    assert run.returncode == 1
    [line] = run.stderr.splitlines()
    assert "best is a checkpoint under another name: call it global_step_<N> again" in line
    assert not (tmp_path / "out").exists()


def test_the_model_before_training_is_not_exported(tmp_path):
    run = script((RUN, "base"), tmp_path, DRY_RUN="1", MODEL="Qwen/Qwen3-4B")
    [line] = run.stdout.splitlines()
    assert "pretrained=Qwen/Qwen3-4B," in model_of(shlex.split(line))
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_harness_failed_starts_again(tmp_path):
    """What the first start has exported is in the way of no second one; a checkpoint may be named from anywhere."""
    harness = tmp_path / "lm_eval"
    harness.write_text('#!/usr/bin/env bash\nls "$(cut -d, -f1 <<<"${4#pretrained=}")" && test -e "$MAY_END_WELL"\n')
    harness.chmod(0o755)
    write_run(tmp_path / "run")
    given = {"CHECKPOINT": "run", "LM_EVAL": str(harness), "MAY_END_WELL": str(tmp_path / "yes")}
    given["PYTHON"] = sys.executable
    own = tmp_path / "out" / "forgetting" / "harness" / "qwen3-8b" / "sdpo" / "seed0"
    first = script((RUN, "sdpo"), tmp_path, **given)
    assert first.returncode == 1
    assert (own / "evaluation" / "model" / "model.safetensors").exists()
    (tmp_path / "yes").touch()
    second = script((RUN, "sdpo"), tmp_path, **given)
    assert second.returncode == 0, second.stderr
    assert (own / "log.txt").read_text().count("model.safetensors") == 2
    assert "already finished" in script((RUN, "sdpo"), tmp_path, **given).stdout
    # Also when its checkpoint has made room for others.
    (tmp_path / "run").rename(tmp_path / "gone")
    assert "already finished" in script((RUN, "sdpo"), tmp_path, **given).stdout


@pytest.mark.parametrize("made", [False, True])
def test_a_run_that_has_no_checkpoint_yet_is_said_so(tmp_path, made):
    """Not taken for a model's name on the hub; whether training began or not."""
    place = tmp_path / "out" / "livecodebench" / "v6" / "qwen3-8b" / "grpo" / "seed0" / "checkpoints"
    if made:
        place.mkdir(parents=True)
    run = script((RUN, "grpo"), tmp_path, LM_EVAL="true")
    assert run.returncode != 0
    line = run.stderr.splitlines()[-1]
    assert str(place) in line
    assert "bash recipe/livecodebench/run.sh grpo" in line
    assert not (tmp_path / "out" / "forgetting").exists()


def test_a_missing_harness_is_said_before_there_is_a_run(tmp_path):
    write_run(tmp_path / "run")
    told = script((RUN, "sdpo"), tmp_path, CHECKPOINT="run", PYTHON=sys.executable, LM_EVAL=str(tmp_path / "nowhere"))
    assert told.returncode == 1
    [line] = told.stderr.splitlines()
    assert "[harness]'" in line
    assert not (tmp_path / "out").exists()
