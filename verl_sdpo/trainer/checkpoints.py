# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`verl_sdpo.checkpoint` in a verl trainer, for every loss: saving through a staging folder, choosing what to resume.

verl writes a checkpoint at `trainer.default_local_dir`/global_step_<N> (`PPOTrainer._save_checkpoint`, verl 0.9.1) and
has no other way to say where. So for the time of that call the key names the staging folder, and the keys by which
verl's workers delete older checkpoints are off. Every rank has returned when the call does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from verl.trainer.ppo.checkpoint_callback import CheckpointCallback

from verl_sdpo.checkpoint import manifest as manifests
from verl_sdpo.checkpoint.facts import RANKS, check_same, plain_digest
from verl_sdpo.checkpoint.manifest import CheckpointError, Manifest
from verl_sdpo.checkpoint.reshard import reshard
from verl_sdpo.checkpoint.store import CheckpointStore, Choice, choose_given
from verl_sdpo.trainer.run_facts import run_facts

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
RANDOM_FILE = "driver_random.pt"
_WANDB_RUN = "wandb_run_id"
# In the run's folder, from the start to the moment when all ranks have loaded it.
RESHARDED = ".resharded"


class Checkpoints:
    """To stand before `Watching` among a trainer's bases, whose file is then in the staging folder too."""

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        # What speaks against resuming is said before any model is loaded.
        self.store = CheckpointStore(Path(self.config.trainer.default_local_dir).absolute())
        # As it is now: verl sets some keys later.
        self.run_settings = OmegaConf.to_container(self.config, resolve=True)
        self.run_facts = run_facts(self.config, self.tokenizer, len(self.train_dataset))
        self.resumed_from = choose(self.config, self.store)
        for note in self.resumed_from.notes:
            logger.warning("checkpoints: %s", note)
        self._compare(self.resumed_from)
        self._folder_to_load = self._for_these_ranks(self.resumed_from)

    def _compare(self, choice: Choice) -> None:
        if choice.manifest is None:
            return
        accepted = list(self.config.trainer.resume_accept_changes)
        for line in check_same(choice.manifest.facts, self.run_facts, accepted):
            logger.warning("checkpoints: accepted: %s", line)
        for line in changed_settings(choice.folder / CONFIG_FILE, self.run_settings):
            logger.info("checkpoints: other setting than in %s: %s", choice.folder.name, line)

    def _for_these_ranks(self, choice: Choice) -> Path | None:
        """The folder that the ranks load: the checkpoint's, or one that is cut anew for their number."""
        folder, num_ranks = self.store.root / RESHARDED, self.run_facts[RANKS]["num"]
        # A run that was killed while it loaded has left it.
        shutil.rmtree(folder, ignore_errors=True)
        saved = None if choice.manifest is None else choice.manifest.facts.get(RANKS)
        if saved is None or saved["num"] == num_ranks:
            return choice.folder
        logger.warning("checkpoints: %s is cut anew for %d ranks in %s", choice.folder, num_ranks, folder)
        return reshard(choice, folder, num_ranks)

    def _load_checkpoint(self) -> None:
        choice, folder = self.resumed_from, self._folder_to_load
        mode = "disable" if folder is None else "resume_path"
        with set_for_now(self.config, resume_mode=mode, resume_from_path=None if folder is None else str(folder)):
            super()._load_checkpoint()
        if choice.folder is None:
            return
        shutil.rmtree(self.store.root / RESHARDED, ignore_errors=True)
        self.note_checkpoint(choice.folder)
        logger.info("checkpoints: resumed from %s", choice.folder)
        if (file := choice.folder / RANDOM_FILE).exists():
            load_random_states(file)
        if choice.manifest is not None and (run_id := choice.manifest.run.get(_WANDB_RUN)):
            # wandb reads them when verl starts it, after this: the curves go on in the same run.
            os.environ.setdefault("WANDB_RUN_ID", run_id)
            os.environ.setdefault("WANDB_RESUME", "allow")

    def _save_checkpoint(self) -> None:
        callback, later = self.checkpoint_callback, _Later()
        self.checkpoint_callback = later
        try:
            staged = self.store.begin(self.global_steps)
            with set_for_now(self.config, default_local_dir=str(staged.parent), **_VERL_DELETES_NOTHING):
                super()._save_checkpoint()
            save_random_states(staged / RANDOM_FILE)
            settings = json.dumps(self.run_settings, indent=1, default=str)
            (staged / CONFIG_FILE).write_text(settings, encoding="utf-8")
            folder = self.store.finish(self._manifest(), keep=num_to_keep(self.config, self.use_critic))
        except Exception as error:
            raise CheckpointError(self._not_saved(error)) from error
        finally:
            self.checkpoint_callback = callback
        self.note_checkpoint(folder)
        if later.arguments is not None:
            callback.on_save(**{**later.arguments, "checkpoint_dir": str(folder)})

    def _manifest(self) -> Manifest:
        return Manifest(
            step=self.global_steps,
            sequence=0,
            saved_at=manifests.now(),
            config_sha256=plain_digest(self.run_settings),
            versions=manifests.versions(),
            facts=self.run_facts,
            run={_WANDB_RUN: wandb_run_id(), "best": self.best_so_far()},
        )

    def _not_saved(self, error: Exception) -> str:
        with contextlib.suppress(OSError):
            self.store.abandon()
        whole = [entry.folder for entry in self.store.in_order() if not entry.faults]
        last = f"the last complete checkpoint is {whole[0]}, untouched" if whole else "there is no earlier checkpoint"
        return f"step {self.global_steps} could not be saved to {self.store.root}: {error}; {last}"


# verl's workers would delete older folders before the new one is complete; `CheckpointStore.prune` does it afterwards.
_VERL_DELETES_NOTHING = {
    "max_actor_ckpt_to_keep": None,
    "max_critic_ckpt_to_keep": None,
    "remove_previous_ckpt_in_save": False,
}


class _Later(CheckpointCallback):
    """Stands in for the run's own callback until the checkpoint has its name."""

    arguments: dict[str, Any] | None = None

    def on_save(self, **arguments: Any) -> None:
        self.arguments = arguments


def choose(config: DictConfig, store: CheckpointStore) -> Choice:
    """What the run starts from, by `trainer.resume_mode`.

    Raises:
        CheckpointError: there is something to resume and it cannot be.
    """
    options = config.trainer
    if options.resume_mode == "disable":
        return Choice(None)
    if options.resume_mode == "resume_path":
        return choose_given(Path(options.resume_from_path).absolute())
    return store.choose()


def num_to_keep(config: DictConfig, use_critic: bool) -> int | None:
    """How many checkpoints verl's keys ask for; a critic's are in the same folders, so that the larger number holds."""
    options = config.trainer
    if options.get("remove_previous_ckpt_in_save", False):
        return 1
    numbers = [options.get("max_actor_ckpt_to_keep", None)]
    if use_critic:
        numbers.append(options.get("max_critic_ckpt_to_keep", None))
    return None if any(not number for number in numbers) else max(numbers)


@contextlib.contextmanager
def set_for_now(config: DictConfig, **values: Any) -> Iterator[None]:
    """Within this context keys of `trainer` have other values."""
    options = config.trainer
    # As they are written: an interpolation stays one.
    written = OmegaConf.to_container(options, resolve=False)
    try:
        with open_dict(options):
            for name, value in values.items():
                options[name] = value
        yield
    finally:
        with open_dict(options):
            for name in values:
                if name in written:
                    options[name] = written[name]
                else:
                    options.pop(name)


def changed_settings(saved: Path, settings: dict[str, Any]) -> list[str]:
    """Keys that have another value than in a checkpoint's configuration, one line each."""
    if not saved.exists():
        return []
    before = leaves(json.loads(saved.read_text(encoding="utf-8")))
    after = leaves(json.loads(json.dumps(settings, default=str)))
    return [
        f"{key}={after.get(key)!r}, was {before.get(key)!r}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The plain values of a nested dictionary by their full keys."""
    if not isinstance(value, dict):
        return {path: value}
    found = {}
    for key, item in value.items():
        found |= leaves(item, f"{path}.{key}" if path else str(key))
    return found


def save_random_states(path: Path) -> None:
    """Of this process, the trainer's: verl's ranks save their own."""
    name, keys, *rest = np.random.get_state()
    state = {"python": random.getstate(), "numpy": (name, torch.tensor(keys.astype(np.int64)), *rest)}
    torch.save(state | {"torch": torch.get_rng_state()}, path)


def load_random_states(path: Path) -> None:
    """What `save_random_states` wrote."""
    state = torch.load(path, weights_only=True)
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])


def wandb_run_id() -> str | None:
    """Of the run that verl has started in this process, if it has."""
    wandb = sys.modules.get("wandb")
    run = getattr(wandb, "run", None)
    return getattr(run, "id", None)
