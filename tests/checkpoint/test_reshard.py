# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints cut anew for another number of ranks, judged by FSDP2 itself: what W processes have saved is loaded by N
processes, gathered by torch's own collective calls, and trained on. verl's worker does the same in
tests/worker/test_reshard.py.
"""

import json

import numpy as np
import pytest
import torch
from torch import nn

from tests.checkpoint.small_run import manifest
from tests.checkpoint.small_run import save as save_bytes
from tests.worker.rank_processes import Ranks
from verl_sdpo.checkpoint.__main__ import main
from verl_sdpo.checkpoint.export import chosen
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.reshard import reshard
from verl_sdpo.checkpoint.sharding import Resharder, part_of, span
from verl_sdpo.checkpoint.store import CheckpointStore, Choice
from verl_sdpo.teacher.ema import EmaTeacher

WORLDS = (1, 2, 3)
PAIRS = [(before, after) for before in WORLDS for after in WORLDS if before != after]
INPUT_IDS = torch.arange(12).remainder(7).reshape(3, 4)
STEP = 2


class TinyModel(nn.Module):
    """Sizes that ranks cannot share evenly, and one that leaves ranks nothing; the head is the embedding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(7, 5)
        self.block = nn.Sequential(nn.Linear(5, 3), nn.GELU(), nn.Linear(3, 5))
        self.scale = nn.Parameter(torch.rand(1))
        self.head = nn.Linear(5, 7)
        self.head.weight = self.embed.weight
        self.register_buffer("shift", torch.arange(7.0))

    def forward(self, input_ids):
        return self.head(self.block(self.embed(input_ids)) * self.scale) + self.shift


class Part:
    """What a rank has: student, optimizer, schedule, teacher, as verl's worker makes and saves them."""

    def __init__(self, world):
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        self.model = TinyModel()
        mesh = init_device_mesh("cpu", (world,), mesh_dim_names=["fsdp"])
        for module in (self.model.block, self.model):
            fully_shard(module, mesh=mesh)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1, weight_decay=0.1)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1.0 / (1 + step))
        self.teacher = EmaTeacher(self.model, 0.25)

    def train(self):
        """One step on the same data on each rank, so that their mean is that of any number of ranks."""
        torch.nn.functional.cross_entropy(self.model(INPUT_IDS).flatten(0, 1), INPUT_IDS.flatten()).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        self.teacher.update()

    def save(self, folder, world, rank):
        end = f"world_size_{world}_rank_{rank}.pt"
        torch.save(self.model.state_dict(), folder / f"model_{end}")
        torch.save(self.optimizer.state_dict(), folder / f"optim_{end}")
        torch.save(self.teacher.state_dict(), folder / f"teacher_{end}")
        rng = {"cpu": torch.Generator().manual_seed(rank).get_state(), "numpy": np.random.RandomState(rank).get_state()}
        torch.save({"lr_scheduler": self.schedule.state_dict(), "rng": rng}, folder / f"extra_state_{end}")
        if rank == 0:
            (folder / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": world}))

    def load(self, folder, world, rank):
        """As verl's manager and our worker load."""
        read = lambda kind: torch.load(folder / f"{kind}_world_size_{world}_rank_{rank}.pt", weights_only=False)  # noqa: E731
        self.model.load_state_dict(read("model"))
        self.optimizer.load_state_dict(read("optim"))
        self.schedule.load_state_dict(read("extra_state")["lr_scheduler"])
        self.teacher.load_state_dict(read("teacher"))

    def whole(self):
        """Everything that a step moves, gathered from all ranks."""
        from torch.distributed.tensor import DTensor

        full = lambda tensor: (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).clone()  # noqa: E731
        seen = {"schedule": torch.tensor([self.schedule.last_epoch, self.schedule.get_last_lr()[0]])}
        shards = self.teacher.state_dict()["shards"]
        for name, p in self.model.named_parameters():
            seen["student", name] = full(p.detach())
            seen |= {(key, name): full(value) for key, value in self.optimizer.state[p].items()}
            teacher = DTensor.from_local(
                shards[name], p.device_mesh, p.placements, run_check=False, shape=p.shape, stride=p.stride()
            )
            seen["teacher", name] = full(teacher)
        return seen | {"num_updates": torch.tensor(self.teacher.num_updates), "shift": self.model.shift.clone()}


def train_and_save(rank, world, root):
    part = Part(world)
    for _ in range(STEP):
        part.train()
    folder = root / str(world)
    folder.mkdir(exist_ok=True, parents=True)
    part.save(folder, world, rank)
    saved = part.whole()
    part.train()
    return {"saved": saved, "went on": part.whole()}


def load_and_train(rank, world, root):
    """From each checkpoint that was cut for this number of ranks."""
    seen = {}
    for before in WORLDS:
        if before != world:
            part = Part(world)
            part.load(root / f"{before} to {world}" / f"global_step_{STEP}" / "actor", world, rank)
            loaded = part.whole()
            part.train()
            seen[before] = {"loaded": loaded, "went on": part.whole()}
    return seen


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """(folder, what the ranks had when they saved and after one more step, the same after loading what was cut)."""
    root = tmp_path_factory.mktemp("reshard")
    ranks = Ranks(root, WORLDS)
    try:
        trained = ranks.run(train_and_save, root / "shards")
        for before in WORLDS:
            store = CheckpointStore(root / f"run of {before}")
            staged = store.begin(STEP)
            (root / "shards" / str(before)).rename(staged / "actor")
            for name in ("data.pt", "watch.json", "config.json", "driver_random.pt"):
                (staged / name).write_text(name)
            (staged / "actor" / "huggingface").mkdir()
            (staged / "actor" / "huggingface" / "config.json").write_text("{}")
            store.finish(manifest(STEP, {"ranks": {"num": before}, "teacher": {"kind": "ema"}}), keep=None)
        for before, after in PAIRS:
            arguments = ["reshard", str(root / f"run of {before}"), "--ranks", str(after)]
            assert main([*arguments, "--to", str(root / f"{before} to {after}")]) == 0
        return root, trained, ranks.run(load_and_train, root)
    finally:
        ranks.close()


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_student_moments_schedule_and_teacher_are_the_same_in_every_bit(cut, before, after):
    _, trained, loaded = cut
    saved = trained[before][0]["saved"]
    assert {"student", "exp_avg", "exp_avg_sq", "step", "teacher"} < {name[0] for name in saved}
    for rank in loaded[after]:
        found = rank[before]["loaded"]
        assert found.keys() == saved.keys()
        assert [name for name in saved if not torch.equal(found[name], saved[name])] == []


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_next_step_is_the_one_that_would_have_been_made(cut, before, after):
    _, trained, loaded = cut
    expected, start = trained[before][0]["went on"], trained[before][0]["saved"]
    for rank in loaded[after]:
        for name, value in rank[before]["went on"].items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    moved = {name[0] for name in start if not torch.equal(start[name], expected[name])}
    assert moved >= {"student", "exp_avg", "exp_avg_sq", "step", "teacher"}


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_new_folder_is_whole_and_has_everything_else_as_it_was(cut, before, after):
    root = cut[0]
    choice = chosen(root / f"{before} to {after}")
    source = root / f"run of {before}" / f"global_step_{STEP}"
    assert choice.manifest.facts == {"ranks": {"num": after}, "teacher": {"kind": "ema"}}
    assert choice.manifest.run["resharded_from_ranks"] == before
    kinds = ("model", "optim", "teacher", "extra_state")
    of_ranks = {f"actor/{kind}_world_size_{after}_rank_{rank}.pt" for kind in kinds for rank in range(after)}
    same = {"data.pt", "watch.json", "config.json", "driver_random.pt", "actor/huggingface/config.json"}
    assert set(choice.manifest.files) == of_ranks | same | {"actor/fsdp_config.json"}
    assert all((choice.folder / name).read_bytes() == (source / name).read_bytes() for name in same)
    assert json.loads((choice.folder / "actor/fsdp_config.json").read_text()) == {
        "FSDP_version": 2,
        "world_size": after,
    }
    assert CheckpointStore(choice.folder.parent).tracker() == STEP


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_ranks_that_were_there_keep_their_random_states_and_new_ones_have_none_to_load(cut, before, after):
    folder = cut[0] / f"{before} to {after}" / f"global_step_{STEP}" / "actor"
    for rank in range(after):
        state = torch.load(folder / f"extra_state_world_size_{after}_rank_{rank}.pt", weights_only=False)
        assert ("rng" in state) == (rank < before)
        if rank < before:
            assert torch.equal(state["rng"]["cpu"], torch.Generator().manual_seed(rank).get_state())
            assert np.array_equal(state["rng"]["numpy"][1], np.random.RandomState(rank).get_state()[1])


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_tied_weight_has_one_memory_under_its_two_names(cut, before, after):
    folder = cut[0] / f"{before} to {after}" / f"global_step_{STEP}" / "actor"
    for rank in range(after):
        state = torch.load(folder / f"model_world_size_{after}_rank_{rank}.pt", weights_only=False)
        places = {name: state[name].to_local().data_ptr() for name in ("embed.weight", "head.weight", "head.bias")}
        assert places["embed.weight"] == places["head.weight"] != places["head.bias"]


# Without processes


@pytest.mark.parametrize("size", range(14))
@pytest.mark.parametrize("num_ranks", range(1, 7))
def test_a_ranks_rows_are_those_of_torchs_chunks(size, num_ranks):
    chunks = [chunk.tolist() for chunk in torch.arange(size).chunk(num_ranks) if chunk.numel()]
    found = [list(range(start, start + rows)) for start, rows in (span(size, num_ranks, r) for r in range(num_ranks))]
    assert found == chunks + [[]] * (num_ranks - len(chunks))


@pytest.mark.parametrize("before", range(1, 6))
@pytest.mark.parametrize("after", range(1, 6))
def test_parts_of_parts_are_parts_of_the_whole(before, after):
    whole = torch.arange(33.0).reshape(11, 3)
    cut_at = sorted({0, 11, *(3 * number for number in range(1, before))} - {12})
    parts = [whole[low:high] for low, high in zip(cut_at, cut_at[1:], strict=False)] + [whole[:0]]
    found = torch.cat([part_of(parts, 0, after, rank) for rank in range(after)])
    assert torch.equal(found, whole)
    assert part_of(parts, 0, after, 0).untyped_storage().data_ptr() != whole.untyped_storage().data_ptr()


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([{"a": torch.ones(2)}, {"a": torch.zeros(2)}], "/a should be the same on all ranks"),
        ([{"lr": 0.1}, {"lr": 0.2}], "/lr should be the same on all ranks"),
        ([{"lr": 0.1}, {}], "the state has other entries on some ranks"),
        ([{"lr": [0.1]}, {"lr": [0.1, 0.2]}], "/lr has another length"),
        ([{"lr": 1}, {"lr": 1.0}], "/lr is of another type"),
    ],
)
def test_values_that_are_not_sharded_and_differ_are_refused(states, said):
    with pytest.raises(CheckpointError, match=said):
        Resharder(1, 0).state(states)


def test_what_cannot_be_resharded_is_said_in_a_line_and_leaves_nothing(tmp_path, capsys):
    store = CheckpointStore(tmp_path / "run")
    folder = save_bytes(store, 4)
    target = tmp_path / "other"

    def refused(source, *arguments):
        assert main(["reshard", str(source), "--to", str(target), *arguments]) == 1
        assert not target.exists() or not [path for path in target.iterdir() if path.name != "mine"]
        [line] = capsys.readouterr().err.splitlines()
        return line

    assert "is for 2 ranks already" in refused(folder, "--ranks", "2")
    assert "write a number from 1 on" in refused(folder, "--ranks", "0")
    # FSDP1's files have no layout in them.
    staged = store.begin(6)
    (staged / "actor").mkdir()
    (staged / "actor" / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 1, "world_size": 1}))
    torch.save({}, staged / "actor" / "model_world_size_1_rank_0.pt")
    (staged / "data.pt").write_text("")
    store.finish(manifest(6), keep=None)
    assert "only files of FSDP2" in refused(store.root, "--ranks", "2")
    staged = store.begin(8)
    torch.save({}, staged / "expert_world_size_1_rank_0.pt")
    store.finish(manifest(8), keep=None)
    assert "files of kind 'expert' cannot be cut anew" in refused(store.root, "--ranks", "2")
    (store.begin(10) / "data.pt").write_text("")
    store.finish(manifest(10), keep=None)
    assert "has no files of FSDP2's ranks" in refused(store.root, "--ranks", "2")
    target.mkdir(exist_ok=True)
    (target / "mine").touch()
    assert "is not empty" in refused(folder, "--ranks", "1")
    (folder / "COMPLETE.json").unlink()
    with pytest.raises(CheckpointError, match="has no COMPLETE"):
        reshard(Choice(folder), tmp_path / "third", 1)
