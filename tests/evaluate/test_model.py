# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which model a name means, and which are refused before anything is made of them."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from recipe.tiny_model import build_model, build_tokenizer
from tests.evaluate.tiny_world import write_model, write_run
from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.evaluate.model import find, loadable, tokenizer_path

SETTINGS = {"data": {"apply_chat_template_kwargs": {"enable_thinking": False}}, "trainer": None}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), SETTINGS, steps=(2, 4))


@pytest.mark.parametrize(("given", "step"), [("", 4), ("global_step_2", 2), ("global_step_4", 4)])
def test_a_run_means_its_newest_checkpoint_and_brings_its_settings(run, given, step):
    source = find(str(Path(run) / given), is_teacher=False)
    assert source.checkpoint == Path(run) / f"global_step_{step}"
    assert source.setting("data.apply_chat_template_kwargs") == {"enable_thinking": False}
    assert [source.setting(key) for key in ("data.nothing", "trainer.device", "nothing.at.all")] == [None] * 3
    assert source.describe() == {
        "name": str(Path(run) / given),
        "checkpoint": str(source.checkpoint),
        "role": "student",
    }


@pytest.mark.parametrize(("is_teacher", "seed"), [(False, 1), (True, 2)])
def test_the_engine_gets_the_student_or_the_teacher(run, tmp_path, is_teacher, seed):
    folder = loadable(find(run, is_teacher), tmp_path)
    assert Path(folder).is_relative_to(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).state_dict()
    expected = build_model(build_tokenizer(), seed).state_dict()
    assert all(torch.equal(loaded[name], expected[name].bfloat16()) for name in expected)


def test_a_hugging_face_folder_is_loaded_where_it_is_and_a_hub_id_by_its_name(tmp_path):
    folder = write_model(tmp_path / "model")
    source = find(folder, is_teacher=False)
    assert loadable(source, tmp_path / "unused") == tokenizer_path(source) == folder
    assert source.describe() == {"name": folder, "checkpoint": None, "role": None}
    assert not (tmp_path / "unused").exists()
    source = find("nobody/no-such-model", is_teacher=False)
    assert loadable(source, tmp_path) == tokenizer_path(source) == "nobody/no-such-model"


def test_what_is_no_model_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    damaged = Path(write_run(tmp_path / "damaged"))
    (damaged / "global_step_4" / "config.json").write_text("{}")
    for given, is_teacher, said in (
        (tmp_path / "nowhere", False, "is no folder on this machine: name a checkpoint or"),
        (tmp_path / "empty", False, "holds neither global_step_<N> nor config.json"),
        (tmp_path / "empty", True, "--teacher needs a checkpoint"),
        (Path(run) / "global_step_9", False, "is no folder on this machine"),
        (damaged, False, "cannot be evaluated"),
        (damaged / "global_step_4", False, "is not whole"),
    ):
        with pytest.raises(EvaluateError) as caught:
            find(str(given), is_teacher)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_teacher_without_weights_of_its_own_is_refused(tmp_path):
    run = Path(write_run(tmp_path / "run"))
    source = find(str(run), is_teacher=True)
    torch.save({"kind": "live"}, run / "global_step_4" / "actor" / "teacher_world_size_1_rank_0.pt")
    with pytest.raises(EvaluateError, match="the teacher is the student: export that"):
        loadable(source, tmp_path)
