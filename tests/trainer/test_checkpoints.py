# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Saving through the staging folder and choosing what to resume, before a trainer that saves and loads as verl's does
(its lines are pinned in tests/test_verl_seams.py), with verl's own deletion of older checkpoints.
"""

import contextlib
import inspect
import json
import logging
import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from verl.trainer.ppo.v1 import PPOTrainer, trainer_base

from verl_sdpo.checkpoint.facts import ChangedFactsError
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.config.checks import TRAINER_MODES
from verl_sdpo.trainer import checkpoints, choice
from verl_sdpo.trainer.checkpoints import Checkpoints, num_to_keep, set_for_now
from verl_sdpo.trainer.watching import STATE_FILE, Watching

METRIC = "val-core/task/acc/mean@4"
TRACKER = "latest_checkpointed_iteration.txt"


class Tokenizer:
    chat_template = "{{ messages }}"

    def get_vocab(self):
        return {"a": 0, "b": 1}


class VerlLike:
    """verl's order of calls when it saves and loads."""

    def __init__(self, config, accuracy=lambda step: 0.0):
        self.config, self.accuracy = config, accuracy
        self.tokenizer, self.train_dataset, self.use_critic = Tokenizer(), range(24), False
        self.checkpoint_callback, self.told, self.loaded = SimpleNamespace(on_save=self.tell), [], None

    def tell(self, trainer, global_step, checkpoint_dir, async_save):
        self.told.append((global_step, checkpoint_dir, (Path(checkpoint_dir) / "COMPLETE.json").exists()))

    def init(self):
        self.total_training_steps = self.config.trainer.total_training_steps
        self._init_dataloader()
        self._load_checkpoint()

    def _init_dataloader(self):
        pass

    def _load_checkpoint(self):
        options = self.config.trainer
        self.global_steps = 0
        if options.resume_mode == "disable":
            return
        assert options.resume_mode == "resume_path", "verl's own search for the latest one is not used"
        folder = options.resume_from_path
        self.global_steps = int(folder.split("global_step_")[-1])
        num_ranks = options.n_gpus_per_node
        files = [Path(folder, "actor", f"model_world_size_{num_ranks}_rank_{rank}.pt") for rank in range(num_ranks)]
        [step] = {torch.load(file, weights_only=True)["step"].item() for file in files}
        self.loaded = f"weights {step}"

    def train(self, last):
        while self.global_steps < last:
            self.global_steps += 1
            self._step_started, self._step_generations = 0.0, 8
            if self.global_steps % self.config.trainer.save_freq == 0:
                self._save_checkpoint()
                self._validate()

    def _validate(self):
        return {METRIC: self.accuracy(self.global_steps)}

    def _save_checkpoint(self):
        options = self.config.trainer
        # verl's workers count the folders that they have written, and delete.
        assert options.max_actor_ckpt_to_keep is None
        assert options.max_critic_ckpt_to_keep is None
        folder = Path(options.default_local_dir, f"global_step_{self.global_steps}")
        (folder / "actor").mkdir(parents=True, exist_ok=True)
        num_ranks = options.n_gpus_per_node
        for rank in range(num_ranks):
            file = folder / "actor" / f"model_world_size_{num_ranks}_rank_{rank}.pt"
            torch.save({"step": torch.tensor(self.global_steps)}, file)
        (folder / "data.pt").write_text("position")
        Path(options.default_local_dir, TRACKER).write_text(str(self.global_steps))
        self.checkpoint_callback.on_save(
            trainer=self, global_step=self.global_steps, checkpoint_dir=str(folder), async_save=False
        )


class Trainer(Checkpoints, Watching, VerlLike):
    pass


@pytest.fixture
def make(compose, tmp_path, monkeypatch):
    """`make("trainer.key=value", ...)`: a trainer of a run that saves every second step."""
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    monkeypatch.delenv("WANDB_RESUME", raising=False)
    (tmp_path / "train.parquet").write_text("rows")

    def trainer(*overrides, **behaviour):
        given = ["trainer.save_freq=2", "trainer.test_freq=2", f"trainer.default_local_dir={tmp_path}/run"]
        given += [f"data.train_files={tmp_path}/train.parquet", "trainer.total_training_steps=10", *overrides]
        config = compose("sdpo_trainer_cpu", *given)
        OmegaConf.resolve(config)
        made = Trainer(config, **behaviour)
        made.init()
        return made

    return trainer


def steps(folder):
    return sorted(int(path.name.removeprefix("global_step_")) for path in folder.glob("global_step_*"))


def test_the_stand_in_has_verls_methods_and_no_mode_loses_one():
    ours = {name for name in vars(Checkpoints) if callable(getattr(Checkpoints, name)) and hasattr(VerlLike, name)}
    assert ours == {"_init_dataloader", "_load_checkpoint", "_save_checkpoint"}
    for owner in (PPOTrainer, *(trainer_base.get_trainer_cls(mode) for mode in TRAINER_MODES)):
        assert all(hasattr(owner, name) for name in ours)
    for mode in TRAINER_MODES:
        assert not ours & {n for n, v in vars(trainer_base.get_trainer_cls(mode)).items() if inspect.isfunction(v)}


@pytest.mark.parametrize("mode", TRAINER_MODES)
@pytest.mark.parametrize("loss_mode", ["sdpo", "vanilla"])
def test_a_run_of_either_loss_saves_through_it_with_the_state_of_watching_inside(compose, monkeypatch, mode, loss_mode):
    monkeypatch.setattr(trainer_base, "TRAINER_REGISTRY", dict(trainer_base.TRAINER_REGISTRY))
    loss = f"actor_rollout_ref.actor.policy_loss.loss_mode={loss_mode}"
    choice.use_trainer(compose("sdpo_trainer", loss, f"trainer.v1.trainer_mode={mode}"))
    order = trainer_base.get_trainer_cls(mode).__mro__
    assert order.index(Checkpoints) < order.index(Watching) < order.index(PPOTrainer)


def test_a_checkpoint_is_complete_under_its_name_with_everything_in_it(make, tmp_path):
    trainer = make()
    trainer.train(2)
    folder = tmp_path / "run" / "global_step_2"
    said = json.loads((folder / "COMPLETE.json").read_text())
    assert set(said["files"]) == {
        "actor/model_world_size_1_rank_0.pt",
        "config.json",
        "data.pt",
        "driver_random.pt",
        STATE_FILE,
    }
    assert set(said["facts"]) == {"model", "data", "template", "teacher", "ranks"}
    assert said["facts"]["teacher"]["kind"] == "ema"
    assert said["facts"]["data"]["num_rows"] == 24
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["global_step_2", TRACKER]
    assert trainer.config.trainer.default_local_dir == f"{tmp_path}/run"


def test_callbacks_are_told_when_it_has_its_name(make, tmp_path):
    trainer = make()
    callback = trainer.checkpoint_callback
    trainer.train(2)
    assert trainer.told == [(2, f"{tmp_path}/run/global_step_2", True)]
    assert trainer.checkpoint_callback is callback


def test_a_resumed_run_goes_on_and_retention_with_it(make, tmp_path):
    make("trainer.max_actor_ckpt_to_keep=2").train(6)
    assert steps(tmp_path / "run") == [4, 6]
    resumed = make("trainer.max_actor_ckpt_to_keep=2")
    assert (resumed.global_steps, resumed.loaded, resumed.budget.generations) == (6, "weights 6", 8)
    assert resumed.config.trainer.resume_mode == "auto"
    resumed.train(8)
    assert steps(tmp_path / "run") == [6, 8]


def test_a_run_can_be_sent_back_or_started_anew(make, tmp_path):
    make().train(6)
    path = f"{tmp_path}/run/global_step_4"
    back = make("trainer.resume_mode=resume_path", f"trainer.resume_from_path={path}")
    assert back.loaded == "weights 4"
    assert make("trainer.resume_mode=disable").global_steps == 0


def test_the_best_checkpoint_is_whole_too(make, tmp_path):
    best = ("trainer.max_actor_ckpt_to_keep=1", f"trainer.best_checkpoint.metric='{METRIC}'")
    make(*best, accuracy={2: 0.5, 4: 0.9, 6: 0.1}.get).train(6)
    assert steps(tmp_path / "run" / "best") == [4]
    path = tmp_path / "run" / "best" / "global_step_4"
    assert make("trainer.resume_mode=resume_path", f"trainer.resume_from_path={path}").loaded == "weights 4"
    said = json.loads((tmp_path / "run" / "global_step_6" / "COMPLETE.json").read_text())
    # As it was known when step 6 was saved, before its own validation.
    assert said["run"]["best"] == {"step": 4, "metric": METRIC, "value": 0.9}


def test_a_save_that_fails_says_what_is_left_and_leaves_it(make, tmp_path, monkeypatch):
    trainer = make("trainer.max_actor_ckpt_to_keep=1")
    trainer.train(2)
    monkeypatch.setattr(
        checkpoints, "save_random_states", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(CheckpointError, match="step 4 could not be saved .*No space left.*global_step_2, untouched"):
        trainer.train(4)
    assert trainer.config.trainer.default_local_dir == f"{tmp_path}/run"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["global_step_2", TRACKER]
    assert make().loaded == "weights 2"


def test_the_random_states_of_the_driver_go_on(make):
    trainer = make()
    trainer.train(2)
    expected = (random.random(), np.random.rand(), torch.rand(1).item())
    make()
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_the_run_of_wandb_goes_on(make, monkeypatch):
    monkeypatch.setattr(checkpoints, "wandb_run_id", lambda: "abc123")
    make().train(2)
    assert "WANDB_RUN_ID" not in os.environ
    make()
    assert (os.environ.pop("WANDB_RUN_ID"), os.environ.pop("WANDB_RESUME")) == ("abc123", "allow")


# What must be the same

OPTIONS = "actor_rollout_ref.actor.self_distillation"
CHANGES = [
    (f"{OPTIONS}.teacher_update_rate=0.3", "teacher", "teacher.teacher_update_rate: 0.05 in the checkpoint, 0.3 now"),
    (f"{OPTIONS}.teacher_regularization=frozen", "teacher", 'teacher.kind: "ema" in the checkpoint, "frozen" now'),
    ("data.train_batch_size=12", "data", "data.train_batch_size"),
    ("data.train_files=/nowhere.parquet", "data", "data.train_files"),
    (f"{OPTIONS}.feedback_template='It said: {{feedback_raw}}'", "template", "template.feedback_template"),
    ("+data.apply_chat_template_kwargs.enable_thinking=False", "template", "template.apply_chat_template_kwargs"),
    ("actor_rollout_ref.model.path=other/model", "model", "model.path"),
    ("actor_rollout_ref.model.lora_rank=8", "model", "model.lora_rank: 0 in the checkpoint, 8 now"),
]


@pytest.mark.parametrize(("override", "fact", "said"), CHANGES)
def test_a_changed_run_is_refused_with_the_difference_and_goes_on_when_it_is_accepted(
    make, caplog, override, fact, said
):
    make().train(2)
    with pytest.raises(ChangedFactsError) as caught:
        make(override)
    assert said in str(caught.value)
    assert f"trainer.resume_accept_changes=[{fact}]" in str(caught.value)
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        assert make(override, f"trainer.resume_accept_changes=[{fact}]").loaded == "weights 2"
    assert said in caplog.text
    assert make(override, "trainer.resume_mode=disable").global_steps == 0


def test_changed_rows_are_seen_in_files_of_the_same_name_and_the_same_rows_elsewhere_are_no_change(make, tmp_path):
    make().train(2)
    shutil.copy(tmp_path / "train.parquet", tmp_path / "moved.parquet")
    assert make(f"data.train_files={tmp_path}/moved.parquet").loaded == "weights 2"
    (tmp_path / "train.parquet").write_text("swor")
    with pytest.raises(ChangedFactsError, match=r"data\.train_files"):
        make()


def test_another_number_of_ranks_is_refused_with_key_and_command_and_cut_anew_where_it_is_accepted(make, tmp_path):
    make().train(2)
    two = "trainer.n_gpus_per_node=2"
    with pytest.raises(ChangedFactsError) as caught:
        make(two, "trainer.resume_accept_changes=[model,data,template,teacher]")
    assert "ranks.num: 1 in the checkpoint, 2 now" in str(caught.value)
    assert "trainer.resume_accept_changes=[data,model,ranks,teacher,template]" in str(caught.value)
    assert "python -m verl_sdpo.checkpoint reshard DIR --ranks 2 --to FOLDER" in str(caught.value)
    resumed = make(two, "trainer.resume_accept_changes=[ranks]")
    assert (resumed.global_steps, resumed.loaded, resumed.budget.generations) == (2, "weights 2", 8)
    # What was cut anew is gone once it is loaded; what it was made of is there, and is what may become the best one.
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["global_step_2", TRACKER]
    assert resumed._checkpoint == (2, tmp_path / "run" / "global_step_2")
    resumed.train(4)
    assert make(two).loaded == "weights 4"


def test_other_settings_are_no_fault_and_are_told(make, caplog):
    make().train(2)
    with caplog.at_level(logging.INFO, logger="verl_sdpo"):
        make("actor_rollout_ref.actor.optim.lr=0.5", "trainer.total_training_steps=20")
    assert "actor_rollout_ref.actor.optim.lr=0.5" in caplog.text


# Options of verl's


@pytest.mark.parametrize(
    ("actor", "critic", "use_critic", "expected"),
    [(None, None, False, None), (2, None, False, 2), (2, 3, True, 3), (2, None, True, None), (0, 1, False, None)],
)
def test_verls_keys_say_how_many_are_kept(compose, actor, critic, use_critic, expected):
    config = compose("sdpo_trainer")
    config.trainer.max_actor_ckpt_to_keep, config.trainer.max_critic_ckpt_to_keep = actor, critic
    assert num_to_keep(config, use_critic) == expected


def test_a_key_that_is_set_for_a_while_comes_back_as_it_was_written(compose):
    config = compose("sdpo_trainer")
    with contextlib.suppress(KeyError), set_for_now(config, default_local_dir="/elsewhere", a_key_of_ours=1):
        assert (config.trainer.default_local_dir, config.trainer.a_key_of_ours) == ("/elsewhere", 1)
        raise KeyError
    assert "a_key_of_ours" not in config.trainer
    config.trainer.project_name = "later"
    assert config.trainer.default_local_dir.startswith("checkpoints/later/")
