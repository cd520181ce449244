# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Models out of checkpoints: loaded by transformers, they have the weights that were saved, rounded to bfloat16."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from recipe.tiny_model import build_model, build_tokenizer
from tests.checkpoint.small_run import manifest
from tests.worker.rank_processes import Ranks
from verl_sdpo.checkpoint.__main__ import main
from verl_sdpo.checkpoint.export import export, with_shards
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.store import CheckpointStore

FACTS = {"data": {"num_rows": 24}, "teacher": {"kind": "ema"}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder of a run with one checkpoint at step 4, its student, its teacher's weights by name)."""
    root = tmp_path_factory.mktemp("run")
    tokenizer = build_tokenizer()
    student, teacher = build_model(tokenizer, seed=1), build_model(tokenizer, seed=2)
    shards = {name: tensor.detach() for name, tensor in teacher.named_parameters()}
    store = CheckpointStore(root)
    save(store.begin(4), tokenizer, student, {"kind": "ema", "num_updates": 4, "rate": 0.5, "shards": shards})
    store.finish(manifest(4, FACTS), keep=None)
    return root, student.state_dict(), teacher.state_dict()


def save(folder, tokenizer, student, teacher):
    """What verl's manager and our worker write, on one rank."""
    actor = folder / "actor"
    actor.mkdir()
    student.config.architectures = [type(student).__name__]
    student.config.save_pretrained(actor / "huggingface")
    tokenizer.save_pretrained(actor / "huggingface")
    (actor / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": 1}))
    torch.save(student.state_dict(), actor / "model_world_size_1_rank_0.pt")
    torch.save(teacher, actor / "teacher_world_size_1_rank_0.pt")
    (folder / "config.json").write_text(json.dumps({"actor_rollout_ref": {"model": {"path": "some/model"}}}))


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_the_exported_model_has_the_weights_of_the_one_that_is_asked_for(run, tmp_path, role):
    root, student, teacher = run
    target = tmp_path / "model"
    arguments = ["export", str(root), "--to", str(target)] + (["--teacher"] if role == "teacher" else [])
    assert main(arguments) == 0
    loaded = AutoModelForCausalLM.from_pretrained(target, dtype=torch.bfloat16).state_dict()
    expected = {"student": student, "teacher": teacher}[role]
    assert loaded.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(loaded[name], expected[name].bfloat16())] == []
    assert AutoTokenizer.from_pretrained(target).get_vocab() == build_tokenizer().get_vocab()
    card = (target / "README.md").read_text()
    assert f"# The {role} after step 4" in card
    assert "base_model: some/model" in card
    assert "| data num_rows | `24` |" in card
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def write_shards(rank, world_size, root):
    """This rank's shards of a student and of its teacher, as FSDP2 has them; the rest on rank 0."""
    from torch.distributed import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (world_size,), mesh_dim_names=("fsdp",))
    models = [build_model(build_tokenizer(), seed=seed) for seed in (1, 2)]
    student, teacher = (
        {name: distribute_tensor(tensor, mesh, [Shard(0)]) for name, tensor in model.state_dict().items()}
        for model in models
    )
    folder = root / str(world_size) / "actor"
    folder.mkdir(parents=True, exist_ok=True)
    shards = {name: tensor.to_local() for name, tensor in teacher.items()}
    torch.save(student, folder / f"model_world_size_{world_size}_rank_{rank}.pt")
    torch.save({"kind": "frozen", "shards": shards}, folder / f"teacher_world_size_{world_size}_rank_{rank}.pt")
    if rank == 0:
        models[0].config.architectures = [type(models[0]).__name__]
        models[0].config.save_pretrained(folder / "huggingface")
        build_tokenizer().save_pretrained(folder / "huggingface")
        (folder / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": world_size}))


def test_shards_of_several_ranks_are_put_together(tmp_path):
    ranks = Ranks(tmp_path, worlds=(2, 3))
    try:
        ranks.run(write_shards, tmp_path / "shards")
    finally:
        ranks.close()
    models = {"student": build_model(build_tokenizer(), seed=1), "teacher": build_model(build_tokenizer(), seed=2)}
    for world_size in ranks.worlds:
        store = CheckpointStore(tmp_path / f"run of {world_size}")
        shutil.copytree(tmp_path / "shards" / str(world_size), store.begin(4), dirs_exist_ok=True)
        folder = store.finish(manifest(4), keep=None)
        for role, model in models.items():
            made = export(folder, tmp_path / f"{role} of {world_size}", teacher=role == "teacher")
            loaded = AutoModelForCausalLM.from_pretrained(made, dtype=torch.bfloat16).state_dict()
            expected = model.state_dict()
            assert [name for name in expected if not torch.equal(loaded[name], expected[name].bfloat16())] == []


def test_a_folder_in_use_is_not_written_to(run, tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(CheckpointError, match="is not empty"):
        export(run[0], tmp_path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("live", "the teacher is the student"), ("external", "a model of its own"), ("trust_region", "mean")],
)
def test_a_teacher_that_is_no_model_of_the_checkpoint_is_refused(tmp_path, capsys, kind, said):
    tokenizer = build_tokenizer()
    store = CheckpointStore(tmp_path / "run")
    save(store.begin(4), tokenizer, build_model(tokenizer, seed=1), {"kind": kind, "num_updates": 4})
    folder = store.finish(manifest(4), keep=None)
    assert main(["export", str(folder), "--to", str(tmp_path / "model"), "--teacher"]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_damaged_checkpoint_is_not_exported(run, tmp_path):
    store = CheckpointStore(tmp_path / "run")
    save(store.begin(4), build_tokenizer(), build_model(build_tokenizer(), seed=1), {"kind": "live"})
    folder = store.finish(manifest(4), keep=None)
    (folder / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="bytes"):
        export(folder, tmp_path / "model")


def test_tied_weights_stay_tied_and_what_is_not_trained_stays():
    weight = torch.zeros(2)
    student = {"embed": weight, "head": weight, "base": torch.ones(1)}
    made = with_shards(student, {"embed": torch.tensor([1.0, 2.0])})
    assert made["head"].tolist() == [1.0, 2.0]
    assert made["base"].tolist() == [1.0]
    with pytest.raises(CheckpointError, match="the teacher has weights"):
        with_shards(student, {"other": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"is \(3,\), the student's \(2,\)"):
        with_shards(student, {"embed": torch.zeros(3)})
