# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Whole weights of a checkpoint, in the precision that they were saved in."""

import pytest
import torch

from recipe.tiny_model import build_model, build_tokenizer
from tests.checkpoint.test_export import save, write_shards
from tests.worker.rank_processes import Ranks
from verl_sdpo.checkpoint.export import merge
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.weights import teacher_state, whole_weights


def differing(weights, expected):
    assert weights.keys() == expected.keys()
    return [name for name in expected if not torch.equal(weights[name], expected[name])]


def test_shards_of_several_ranks_are_put_together_without_rounding(tmp_path):
    ranks = Ranks(tmp_path, worlds=(2, 3))
    try:
        ranks.run(write_shards, tmp_path)
    finally:
        ranks.close()
    for world_size in ranks.worlds:
        actor = tmp_path / str(world_size) / "actor"
        for is_teacher, seed in ((False, 1), (True, 2)):
            expected = build_model(build_tokenizer(), seed=seed).state_dict()
            assert differing(whole_weights(actor, teacher=is_teacher), expected) == []
    assert teacher_state(actor)["kind"] == "frozen"


def test_rounded_to_bfloat16_they_are_what_verls_merger_makes(tmp_path):
    from safetensors.torch import load_file

    tokenizer = build_tokenizer()
    save(tmp_path, tokenizer, build_model(tokenizer, seed=1), {"kind": "live"})
    merge(tmp_path / "actor", tmp_path / "merged")
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    weights = whole_weights(tmp_path / "actor")
    assert any(not torch.equal(weights[name], merged[name].float()) for name in merged)
    assert [name for name in merged if not torch.equal(weights[name].bfloat16(), merged[name])] == []


def test_missing_files_are_named(tmp_path):
    tokenizer = build_tokenizer()
    save(tmp_path, tokenizer, build_model(tokenizer, seed=1), {"kind": "live"})
    (tmp_path / "actor" / "teacher_world_size_1_rank_0.pt").unlink()
    with pytest.raises(CheckpointError, match="has no teacher"):
        teacher_state(tmp_path / "actor")
    (tmp_path / "actor" / "model_world_size_1_rank_0.pt").unlink()
    with pytest.raises(CheckpointError, match="model_world_size_1_rank_0.pt does not exist"):
        whole_weights(tmp_path / "actor")
