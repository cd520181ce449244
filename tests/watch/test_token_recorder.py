# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the recorder keeps: of which steps, and that it comes back as it was."""

import gzip
import json

import pytest

from verl_sdpo.watch.callbacks import Shown, TeacherContext, TeacherContexts, TokenIds
from verl_sdpo.watch.token_recorder import EveryStep, TokenRecorder

LONE = "half \ud83d of a pair, Über"


def context(number=0):
    tokens = TokenIds([1, 2], [1, 3, 2], [4, 5 + number], [1, 1])
    return TeacherContext("q1", "unused", True, LONE, 0.5, Shown(None, LONE, None), tokens)


@pytest.fixture
def config(compose, tmp_path):
    return compose(
        "sdpo_trainer_cpu",
        f"trainer.default_local_dir={tmp_path}",
        "trainer.experiment_name=mine",
        "actor_rollout_ref.model.path=base",
        "actor_rollout_ref.rollout.temperature=0.7",
        "actor_rollout_ref.actor.self_distillation.distillation_topk=7",
    )


def lines_of(folder, step):
    with gzip.open(folder / "token_records" / f"{step}.jsonl.gz", "rt", encoding="ascii") as file:
        return [json.loads(line) for line in file]


def test_a_sample_comes_back_as_it_was_with_what_the_step_was_computed_with(config, tmp_path):
    TokenRecorder(config).after_teacher_contexts(TeacherContexts(1, [context(), context(1)]))
    header, first, second = lines_of(tmp_path, 1)
    assert header["step"] == 1
    assert (header["model"], header["experiment"], header["dtype"], header["temperature"]) == (
        "base",
        "mine",
        "fp32",
        0.7,
    )
    assert header["self_distillation"]["distillation_topk"] == 7
    assert first["shown"] == {"demonstration": None, "feedback": LONE, "privileged_context": None}
    assert first["tokens"] == {
        "student_prompt": [1, 2],
        "teacher_prompt": [1, 3, 2],
        "response": [4, 5],
        "is_own": [1, 1],
    }
    assert first["feedback"] == LONE
    assert second["tokens"]["response"] == [4, 6]
    assert [path.name for path in (tmp_path / "token_records").iterdir()] == ["1.jsonl.gz"]


def test_the_precision_is_verls_own_where_the_configuration_names_none(compose, tmp_path):
    config = compose("sdpo_trainer", f"trainer.default_local_dir={tmp_path}")
    TokenRecorder(config).after_teacher_contexts(TeacherContexts(1, []))
    assert lines_of(tmp_path, 1)[0]["dtype"] == "bf16"


def test_kept_are_the_first_step_and_those_that_begin_with_a_checkpoint(config, tmp_path):
    recorder = TokenRecorder(config)
    for step in range(1, 7):
        recorder.after_teacher_contexts(TeacherContexts(step, [context()]))
        if step % 2 == 0:
            (tmp_path / f"global_step_{step}").mkdir()
    assert sorted(path.name for path in (tmp_path / "token_records").iterdir()) == [
        "1.jsonl.gz",
        "3.jsonl.gz",
        "5.jsonl.gz",
    ]


def test_every_step_is_kept_where_that_is_asked_for(config, tmp_path):
    EveryStep(config).after_teacher_contexts(TeacherContexts(2, [context()]))
    assert len(lines_of(tmp_path, 2)) == 2


def test_a_step_of_several_updates_has_all_their_samples_and_a_resumed_one_only_its_own(config, tmp_path):
    recorder = TokenRecorder(config)
    recorder.after_teacher_contexts(TeacherContexts(1, [context()]))
    recorder.after_teacher_contexts(TeacherContexts(1, [context(1), context(2)]))
    assert [line["tokens"]["response"][1] for line in lines_of(tmp_path, 1)[1:]] == [5, 6, 7]
    TokenRecorder(config).after_teacher_contexts(TeacherContexts(1, [context(9)]))
    assert [line["tokens"]["response"][1] for line in lines_of(tmp_path, 1)[1:]] == [14]
