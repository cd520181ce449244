# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What is said of a run's checkpoints before it starts, and what the run itself then does with them: the same, and
nothing on the disk is another afterwards.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf, open_dict

from recipe.tiny_model import build_tokenizer
from tests.checkpoint.small_run import save, write_files
from verl_sdpo.checkpoint.manifest import CheckpointError, seal
from verl_sdpo.checkpoint.store import STAGING, TRACKER, CheckpointStore
from verl_sdpo.preflight.resume import examine_resume
from verl_sdpo.trainer.checkpoints import choose
from verl_sdpo.trainer.run_facts import run_facts

FILE = "actor/model_world_size_2_rank_1.pt"


@pytest.fixture
def configured(sound, compose):
    """`configured(key=value)`: the sound run's configuration with something changed."""

    def config(changes=None):
        made = compose("sdpo_trainer_cpu")
        with open_dict(made):
            for key, value in (sound.overrides | (changes or {})).items():
                OmegaConf.update(made, key, value, force_add=True)
        return made

    return config


@pytest.fixture
def store(sound, configured):
    """Checkpoints of steps 2 and 4, of that run."""
    facts = run_facts(configured(), build_tokenizer(), num_rows=8)
    store = CheckpointStore(sound.checkpoints)
    for step in (2, 4):
        save(store, step, facts=facts)
    return store


def disk(folder):
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def said(config, tokenizer=None):
    """What the preflight says, which changes nothing."""
    folder = config.trainer.default_local_dir
    before = disk(folder)
    findings = examine_resume(config, tokenizer)
    assert disk(folder) == before
    assert all(fault.area == "resume" and fault.where and fault.remedy for fault in findings.faults)
    return findings


def does(config):
    """The step that the run then goes on from; the error where it ends."""
    try:
        choice = choose(config, CheckpointStore(Path(config.trainer.default_local_dir)))
    except CheckpointError as error:
        return str(error)
    return choice.manifest.step if choice.manifest else None


def test_a_sound_checkpoint_of_the_same_run_is_told(store, configured):
    findings = said(configured(), build_tokenizer())
    assert findings.faults == []
    assert f"resumes from {store.root}/global_step_4" in findings.notes[-1]
    assert does(configured()) == 4


DAMAGE = {
    "missing file": (lambda folder: (folder / FILE).unlink(), f"{FILE} is missing"),
    "cut file": (lambda folder: (folder / FILE).write_bytes(b"x"), f"{FILE} has 1 bytes"),
    "damaged mark": (lambda folder: (folder / "COMPLETE.json").write_text("{"), "COMPLETE.json is damaged"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_newest_checkpoint_is_told_with_the_one_that_is_taken(store, configured, damage, words):
    damage(store.root / "global_step_4")
    findings = said(configured())
    assert findings.fatal() == []
    [warning] = findings.faults
    assert words in warning.problem
    assert warning.remedy == "the run resumes from global_step_2 instead"
    assert does(configured()) == 2


def test_checkpoints_of_which_none_is_whole_end_the_run_with_each_file_named(store, configured):
    for step in (2, 4):
        (store.root / f"global_step_{step}" / FILE).unlink()
    [fault] = said(configured()).fatal()
    assert all(f"global_step_{step}/{FILE} is missing" in fault.problem for step in (2, 4))
    assert fault.remedy == "set trainer.resume_mode=disable to start from scratch"
    assert "No checkpoint" in does(configured())


def test_the_one_that_is_named_is_looked_at_and_no_other(store, configured):
    (store.root / "global_step_4" / FILE).unlink()
    named = {"trainer.resume_mode": "resume_path"}
    [fault] = said(configured(named | {"trainer.resume_from_path": f"{store.root}/global_step_4"})).fatal()
    assert fault.where == "trainer.resume_from_path"
    assert f"{FILE} is missing" in fault.problem
    assert said(configured(named | {"trainer.resume_from_path": f"{store.root}/global_step_2"})).faults == []
    assert said(configured({"trainer.resume_mode": "disable"})).faults == []


def test_contents_are_left_to_the_run(store, configured):
    path = store.root / "global_step_4" / FILE
    path.write_bytes(b"x" * path.stat().st_size)
    assert said(configured()).faults == []
    assert does(configured()) == 2


def test_an_interrupted_save_that_the_run_will_finish_is_no_fault(store, configured, sound):
    # Killed when the mark was written, and before the folder had its name; the one it replaces is aside.
    staged = store.begin(4)
    write_files(staged, 4)
    seal(staged, replace(store.in_order()[0].manifest, sequence=3))
    (store.root / "global_step_4").rename(store.root / STAGING / "replaced_global_step_4")
    findings = said(configured())
    assert findings.fatal() == []
    assert any("a save was interrupted" in fault.problem for fault in findings.faults)
    assert does(configured()) == 4


def test_an_interrupted_first_save_is_a_start_from_scratch(configured, sound):
    write_files(CheckpointStore(sound.checkpoints).begin(2), 2)
    assert said(configured()).faults == []
    assert does(configured()) is None


OPTIONS = "actor_rollout_ref.actor.self_distillation"
CHANGES = [
    ({f"{OPTIONS}.teacher_update_rate": 0.3}, "teacher", "teacher_update_rate: 0.05 in the checkpoint, 0.3 now"),
    ({"data.train_batch_size": 2}, "data", "data.train_batch_size: 4 in the checkpoint, 2 now"),
    ({f"{OPTIONS}.feedback_template": "It said: {feedback_raw}"}, "template", "template.feedback_template"),
    ({"actor_rollout_ref.model.lora_rank": 8}, "model", "model.lora_rank: 0 in the checkpoint, 8 now"),
    ({"trainer.n_gpus_per_node": 2}, "ranks", "ranks.num: 1 in the checkpoint, 2 now"),
]


@pytest.mark.parametrize(("changed", "fact", "words"), CHANGES, ids=[fact for _, fact, _ in CHANGES])
def test_another_run_is_refused_with_the_difference_and_the_key(store, configured, changed, fact, words):
    tokenizer = build_tokenizer()
    faults = said(configured(changed), tokenizer).fatal()
    assert any(words in fault.problem for fault in faults)
    assert all(f"set trainer.resume_accept_changes=[{fact}]" in fault.remedy for fault in faults)
    assert ("checkpoint reshard DIR --ranks 2" in faults[0].remedy) == (fact == "ranks")
    accepted = said(configured(changed | {"trainer.resume_accept_changes": [fact]}), tokenizer)
    assert accepted.faults == []
    assert any(words in note for note in accepted.notes)


def test_other_rows_and_another_tokenizer_are_another_run(store, configured, sound):
    sound.train.write_bytes(sound.train.read_bytes() + b" ")
    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["<new>"])
    problems = [fault.problem for fault in said(configured(), tokenizer).fatal()]
    assert ["data.train_files" in problems[0], "model.tokenizer" in problems[1], len(problems)] == [True, True, 2]
    # Without a tokenizer that much is left to the run.
    assert len(said(configured()).fatal()) == 1


def test_what_verl_sets_after_the_preflight_is_no_change(sound, configured):
    config = configured()
    with open_dict(config):
        config.data.gen_batch_size = 1
    save(CheckpointStore(sound.checkpoints), 2, facts=run_facts(config, build_tokenizer(), num_rows=7))
    assert said(configured(), build_tokenizer()).faults == []


def test_a_tracker_behind_the_newest_one_is_told(store, configured):
    (store.root / TRACKER).write_text("2")
    findings = said(configured())
    assert findings.faults == []
    assert any("says 2" in note for note in findings.notes)
