# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint for another number of ranks: the files of each rank cut anew, everything else as it was.

One rank's file of one kind is in memory at a time; those that it is made of are mapped, not read.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint import manifest as manifests
from verl_sdpo.checkpoint.durable import files_below
from verl_sdpo.checkpoint.facts import RANKS
from verl_sdpo.checkpoint.manifest import SHARD, CheckpointError
from verl_sdpo.checkpoint.store import STAGING, CheckpointStore, Choice

_FSDP_CONFIG = "fsdp_config.json"


def reshard(choice: Choice, target: Path, num_ranks: int) -> Path:
    """Write a checkpoint as `num_ranks` ranks would have written it; returns its folder.

    Args:
        choice: a checkpoint that was found whole.
        target: a run's folder, not there yet or empty: a run with that folder goes on from it. `choice` stays as it is.
        num_ranks: of the run that is to go on.

    Raises:
        CheckpointError: it has no mark, is of so many ranks already, or its shards are none that can be cut anew; the
            target is in use.
        OSError: no space is left.
    """
    source, manifest = choice.folder, choice.manifest
    if source is None or manifest is None:
        raise CheckpointError(f"{source} has no {manifests.NAME}: only a completed checkpoint can be cut anew")
    if num_ranks < 1:
        raise CheckpointError(f"{num_ranks} ranks: write a number from 1 on")
    before = manifests.num_ranks(list(manifest.files))
    if before is None:
        raise CheckpointError(f"{source} has no files of FSDP2's ranks: only those can be cut anew")
    if before == num_ranks:
        raise CheckpointError(f"{source} is for {num_ranks} ranks already")
    if target.exists() and any(path.name != STAGING for path in target.iterdir()):
        raise CheckpointError(f"{target} is not empty: choose another folder")
    store = CheckpointStore(target)
    staged = store.begin(manifest.step)
    try:
        write_for(source, staged, num_ranks)
        facts = {**manifest.facts, RANKS: {"num": num_ranks}}
        run = {**manifest.run, "resharded_from_ranks": before}
        said = replace(manifest, saved_at=manifests.now(), versions=manifests.versions(), facts=facts, run=run)
        return store.finish(said, keep=None)
    except BaseException:
        store.abandon()
        raise


def write_for(source: Path, target: Path, num_ranks: int) -> None:
    """The files of a checkpoint's folder for another number of ranks, into a folder that is there."""
    shards: dict[tuple[Path, str], dict[int, Path]] = {}
    for path in files_below(source):
        match = SHARD.fullmatch(path.name)
        place = target / path.relative_to(source)
        if match is not None:
            kind, _, rank, _ = match.groups()
            shards.setdefault((path.parent, kind), {})[int(rank)] = path
        elif path.name == _FSDP_CONFIG:
            _write_fsdp_config(path, place, num_ranks)
        elif path.name != manifests.NAME:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
    for (folder, kind), by_rank in sorted(shards.items()):
        if kind not in _KINDS:
            raise CheckpointError(f"{by_rank[0]}: files of kind {kind!r} cannot be cut anew, only {', '.join(_KINDS)}")
        files = [by_rank[rank] for rank in sorted(by_rank)]
        _KINDS[kind](files, target / folder.relative_to(source), num_ranks)


def _write_fsdp_config(path: Path, place: Path, num_ranks: int) -> None:
    said = json.loads(path.read_text(encoding="utf-8"))
    if said.get("FSDP_version") != 2:
        raise CheckpointError(
            f"{path}: FSDP {said.get('FSDP_version')}; only files of FSDP2 can be cut anew "
            "(actor_rollout_ref.actor.strategy=fsdp2)"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(said | {"world_size": num_ranks}, indent=4), encoding="utf-8")


def _sharded(files: Sequence[Path], target: Path, num_ranks: int) -> None:
    """Student and optimizer: DTensors, which say themselves how they are sharded."""
    states = _load(files)
    _save_each(files, target, num_ranks, lambda resharder, rank: resharder.state(states))


def _extra_state(files: Sequence[Path], target: Path, num_ranks: int) -> None:
    """Schedule and random states. A rank that did not exist has no random state to go on with: it keeps its own."""
    states = _load(files)

    def made(resharder: Any, rank: int) -> dict[str, Any]:
        state = resharder.state([{k: v for k, v in state.items() if k != "rng"} for state in states])
        # verl leaves a rank's state alone where its file has none.
        return state | ({"rng": states[rank]["rng"]} if rank < len(states) and "rng" in states[rank] else {})

    _save_each(files, target, num_ranks, made)


def _teacher(files: Sequence[Path], target: Path, num_ranks: int) -> None:
    """Plain local tensors by the names of the student's, and sharded as they are; some kinds have none."""
    states = _load(files)
    models = _load([files[0].with_name(files[0].name.replace("teacher_", "model_", 1))])

    def made(resharder: Any, rank: int) -> dict[str, Any]:
        state = resharder.state([{k: v for k, v in state.items() if k != "shards"} for state in states])
        if "shards" in states[0]:
            state["shards"] = resharder.like([state["shards"] for state in states], models[0])
        return state

    _save_each(files, target, num_ranks, made)


# By the beginning of the files' names.
_KINDS: dict[str, Callable[[Sequence[Path], Path, int], None]] = {
    "model": _sharded,
    "optim": _sharded,
    "extra_state": _extra_state,
    "teacher": _teacher,
}


def _load(files: Sequence[Path]) -> list[Any]:
    import torch

    # For each tensor torch would say that the processes of its mesh are not there.
    logger = logging.getLogger("torch.distributed.device_mesh")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # verl's files have DTensors, of which torch loads no plain data; they are this run's own and were found whole.
        return [torch.load(path, map_location="cpu", weights_only=False, mmap=True) for path in files]
    finally:
        logger.setLevel(level)


def _save_each(files: Sequence[Path], target: Path, num_ranks: int, made: Callable[[Any, int], Any]) -> None:
    import torch

    from verl_sdpo.checkpoint.sharding import Resharder

    kind, _, _, ending = SHARD.fullmatch(files[0].name).groups()
    for rank in range(num_ranks):
        path = target / f"{kind}_world_size_{num_ranks}_rank_{rank}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            state = made(Resharder(num_ranks, rank), rank)
        except CheckpointError as error:
            raise CheckpointError(f"{files[0].parent / kind}*: {error}") from error
        torch.save(state, path)
