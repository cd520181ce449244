# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A sound run to damage: data, a model's folder with a tokenizer, and the configuration that goes with them."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from recipe.tiny_model import build_tokenizer
from tests.preflight.sound_run import NUM_ROWS, VOCABULARY, row, write_rows


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Everything of a model but what is large: weights of a kilobyte."""
    folder = tmp_path_factory.mktemp("model")
    build_tokenizer().save_pretrained(folder)
    settings = {"model_type": "qwen3", "vocab_size": VOCABULARY, "max_position_embeddings": 4096, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").write_bytes(bytes(1024))
    return folder


@pytest.fixture
def sound(tmp_path, model_folder):
    """Paths of a sound run, and its overrides."""
    train = write_rows(tmp_path / "train.parquet", [row(number) for number in range(NUM_ROWS)])
    val = write_rows(tmp_path / "val.parquet", [row(number) for number in range(100, 102)])
    overrides = {
        "data.train_files": train,
        "data.val_files": val,
        "data.train_batch_size": 4,
        "data.max_prompt_length": 128,
        "data.max_response_length": 64,
        "reward.custom_reward_function.path": "pkg://verl_sdpo.rewards",
        "actor_rollout_ref.model.path": str(model_folder),
        "actor_rollout_ref.actor.ppo_mini_batch_size": 4,
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 2,
        "actor_rollout_ref.rollout.n": 2,
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 2,
        "trainer.save_freq": 2,
        "trainer.total_training_steps": 4,
        "trainer.default_local_dir": str(tmp_path / "checkpoints"),
    }
    return SimpleNamespace(
        folder=tmp_path, train=Path(train), val=Path(val), checkpoints=tmp_path / "checkpoints", overrides=overrides
    )
