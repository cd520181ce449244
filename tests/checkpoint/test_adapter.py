# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A LoRA run's checkpoint as one whole model: what was trained is in its weights, and not only beside them."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from recipe.tiny_model import build_model, build_tokenizer
from tests.checkpoint.small_run import manifest
from verl_sdpo.checkpoint.__main__ import main
from verl_sdpo.checkpoint.adapter import merge_adapter
from verl_sdpo.checkpoint.store import CheckpointStore
from verl_sdpo.evaluate.model import find, loadable


def trained(seed):
    """A base model with an adapter that does something."""
    config = LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(build_model(build_tokenizer(), seed=1), config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.2)
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run whose student and teacher are two adapters on one base."""
    root = tmp_path_factory.mktemp("run")
    student, teacher = trained(seed=5), trained(seed=6)
    store = CheckpointStore(root)
    actor = store.begin(4) / "actor"
    actor.mkdir()
    base = student.get_base_model()
    base.config.architectures = [type(base).__name__]
    base.config.save_pretrained(actor / "huggingface")
    build_tokenizer().save_pretrained(actor / "huggingface")
    (actor / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": 1}))
    (actor / "lora_train_meta.json").write_text(json.dumps({"r": 4, "lora_alpha": 16, "task_type": "CAUSAL_LM"}))
    torch.save(student.state_dict(), actor / "model_world_size_1_rank_0.pt")
    shards = {name: tensor.detach() for name, tensor in teacher.named_parameters() if "lora_" in name}
    torch.save(
        {"kind": "ema", "num_updates": 4, "rate": 0.5, "shards": shards}, actor / "teacher_world_size_1_rank_0.pt"
    )
    store.finish(manifest(4), keep=None)
    return root


def by_hand(seed):
    """W + (alpha / r) B A, of the definition."""
    state = trained(seed).state_dict()
    whole = {}
    for name, tensor in state.items():
        if "lora_" in name:
            continue
        plain = name.replace(".base_layer.", ".")
        if plain != name:
            factors = [state[plain.replace(".weight", f".lora_{letter}.default.weight")] for letter in "BA"]
            tensor = tensor + 16 / 4 * factors[0] @ factors[1]
        whole[plain.removeprefix("base_model.model.")] = tensor
    return whole


def assert_holds(folder, seed):
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    expected, base = by_hand(seed), build_model(build_tokenizer(), seed=1).state_dict()
    assert loaded.keys() == expected.keys()
    for name, tensor in expected.items():
        # verl's merger has rounded the base and the factors to bfloat16 before they are put together.
        torch.testing.assert_close(loaded[name], tensor, rtol=2**-7, atol=0.03)
    changed = [name for name in expected if (loaded[name] - base[name]).abs().max() > 0.1]
    assert {name.split(".")[-2] for name in changed} == {"q_proj", "down_proj"}
    assert not (folder / "lora_adapter").exists()


@pytest.mark.parametrize(("more", "seed"), [([], 5), (["--teacher"], 6)])
def test_an_export_with_its_adapter_merged_is_what_was_trained(run, tmp_path, more, seed):
    assert main(["export", str(run), "--to", str(tmp_path / "model"), "--merge-adapter", *more]) == 0
    assert_holds(tmp_path / "model", seed)


def test_evaluation_gets_the_merged_model(run, tmp_path):
    assert_holds(Path(loadable(find(str(run), is_teacher=False), tmp_path)), seed=5)


def test_a_whole_model_stays_as_it_is(tmp_path):
    build_model(build_tokenizer(), seed=1).save_pretrained(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    assert not merge_adapter(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
