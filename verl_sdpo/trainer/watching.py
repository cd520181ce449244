# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`verl_sdpo.watch` in a verl trainer: warnings, budgets, the best checkpoint, callbacks; for every loss.

A run ends through verl's own last step: `PPOTrainer.fit` asks `global_steps >= total_training_steps` before a step, and
in the last one saves and validates (verl 0.9.1). So `total_training_steps` is lowered one step ahead.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from transfer_queue import KVBatchMeta

from verl_sdpo.algorithm.reprompt import Reprompt
from verl_sdpo.trainer.batch_fields import has_samples, num_generated, read_rollouts
from verl_sdpo.trainer.teacher_batch import TeacherBatch
from verl_sdpo.watch.best_checkpoint import BestCheckpoint, unlink_shared
from verl_sdpo.watch.budget import Budget
from verl_sdpo.watch.callbacks import (
    AfterUpdate,
    BeforeUpdate,
    Callback,
    Generation,
    Shown,
    TeacherContext,
    TeacherContexts,
    TokenIds,
    find_callbacks,
)
from verl_sdpo.watch.health import RunHealth

logger = logging.getLogger(__name__)

# Beside the checkpoint that it belongs to: a run that goes on from an earlier one has that one's state.
STATE_FILE = "watch.json"


class Watching:
    """To stand before a verl trainer, and after SDPO's part, among a class's bases.

    It overrides no method that verl's trainers of single modes do.
    """

    callbacks: Sequence[Callback] = ()

    def init(self) -> None:
        options = self.config.trainer
        planned = self.config.data.train_batch_size * self.config.actor_rollout_ref.rollout.n
        self.budget = Budget.parse(options.max_time, options.max_generations, planned)
        self.health = RunHealth(options.health_check_every) if options.health_check_every else None
        self.best_checkpoint = best_checkpoint(self.config)
        self.callbacks = [callback(self.config) for callback in find_callbacks(options.callbacks)]
        # The last checkpoint of this run and its step.
        self._checkpoint: tuple[int, Path] | None = None
        super().init()

    # What survives a resume

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps > 0:
            options = self.config.trainer
            is_given = options.resume_mode == "resume_path"
            folder = Path(options.resume_from_path) if is_given else self._checkpoint_folder()
            self._checkpoint = (self.global_steps, folder)
            self._load_state(folder / STATE_FILE)
        self._end_if_spent()

    def _end_if_spent(self) -> None:
        """Make no further step where the budget is used up, or one where that will do."""
        if self.budget.is_exhausted():
            logger.warning("the budget is spent (%s): no further step is made", self.budget)
            self.total_training_steps = min(self.total_training_steps, self.global_steps)
        self._plan_end()

    def _load_state(self, path: Path) -> None:
        if not path.exists():
            logger.warning("%s does not exist: time, generations and first steps are counted from here on", path)
            return
        state = json.loads(path.read_text(encoding="utf-8"))
        self.budget.load_state_dict(state["budget"])
        if self.health is not None:
            self.health.load_state_dict(state["health"])

    def _save_checkpoint(self) -> None:
        folder = self._checkpoint_folder()
        unlink_shared(folder)
        folder.mkdir(parents=True, exist_ok=True)
        budget = self.budget.state_dict()
        # This step is not counted yet; its checkpoint and weight transfer are left out.
        budget["seconds"] += time.monotonic() - self._step_started
        budget["generations"] += self._step_generations
        state = {"budget": budget, "health": (self.health or RunHealth(1)).state_dict()}
        # Before verl's files: verl names a checkpoint as the latest when it is whole, and then this one is there too.
        (folder / STATE_FILE).write_text(json.dumps(state), encoding="utf-8")
        super()._save_checkpoint()
        self.note_checkpoint(folder)

    def note_checkpoint(self, folder: Path) -> None:
        """Where this step's checkpoint is from now on."""
        self._checkpoint = (self.global_steps, folder)

    def best_so_far(self) -> dict[str, Any] | None:
        """Step, metric and value of the best checkpoint; None where there is none, or none is kept."""
        best = self.best_checkpoint and self.best_checkpoint.read()
        return asdict(best) if best else None

    def _checkpoint_folder(self) -> Path:
        return Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"

    # A step

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> KVBatchMeta:
        self._step_started = time.monotonic()
        batch = super().step(metrics, timing_raw)
        self._step_generations = num_generated(batch)
        return batch

    def _balance_batch(self, batch: KVBatchMeta, *args: Any, **kwargs: Any) -> KVBatchMeta:
        batch = super()._balance_batch(batch, *args, **kwargs)
        if self.callbacks:
            rollouts = [rollout for rollout in read_rollouts(batch, self.tokenizer)[0] if not rollout["is_padding"]]
            for callback in self.callbacks:
                callback.after_generation(Generation(self.global_steps, rollouts))
        return batch

    def show_teacher_contexts(
        self,
        rollouts: Sequence[dict[str, Any]],
        prompt_ids: Sequence[list[int]],
        response_ids: Sequence[list[int]],
        teacher_batch: TeacherBatch,
    ) -> None:
        """Called by SDPO's step when the teacher's sequences, prompt and response, are made."""
        if not self.callbacks:
            return
        rows = zip(rollouts, prompt_ids, response_ids, teacher_batch.input_ids, teacher_batch.shown, strict=True)
        samples = [
            teacher_context(self.tokenizer, rollout, prompt, response, ids, shown)
            for rollout, prompt, response, ids, shown in rows
            if not rollout["is_padding"]
        ]
        for callback in self.callbacks:
            callback.after_teacher_contexts(TeacherContexts(self.global_steps, samples))

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        for callback in self.callbacks:
            callback.before_update(BeforeUpdate(self.global_steps, dict(metrics)))
        return super()._update_actor(batch, metrics)

    def _validate(self) -> dict[str, float]:
        metrics = super()._validate()
        if self.best_checkpoint is not None:
            value = self.best_checkpoint.value_of(metrics)
            # The validation before training has a checkpoint only if the run was resumed.
            if self._checkpoint is not None and self._checkpoint[0] == self.global_steps:
                is_kept = self.best_checkpoint.consider(self.global_steps, value, self._checkpoint[1])
                if is_kept:
                    logger.info("step %d: the best checkpoint so far, with %s", self.global_steps, value)
        return metrics

    def _compute_metrics(
        self, batch: KVBatchMeta, metrics: dict[str, Any], timing_raw: dict[str, float], *args: Any, **kwargs: Any
    ) -> None:
        # verl's are about samples, and cannot be made of none.
        if has_samples(batch):
            super()._compute_metrics(batch, metrics, timing_raw, *args, **kwargs)
        self.budget.spend(timing_raw["step"], self._step_generations)
        metrics.update({"budget/seconds": self.budget.seconds, "budget/generations": self.budget.generations})
        self._plan_end()
        for message in self.health.check(self.global_steps, metrics) if self.health is not None else []:
            logger.warning("step %d: %s", self.global_steps, message)
        for callback in self.callbacks:
            callback.after_update(AfterUpdate(self.global_steps, dict(metrics)))

    def _plan_end(self) -> None:
        """Make the next step verl's last one, if the budget will be used up by it."""
        last = self.global_steps + 1
        if last < self.total_training_steps and self.budget.is_exhausted_after_next_step():
            logger.info("%s are spent: step %d is the last one of the budget", self.budget, last)
            self.total_training_steps = last


def teacher_context(
    tokenizer: Any,
    rollout: dict[str, Any],
    prompt_ids: list[int],
    response_ids: list[int],
    teacher_ids: Sequence[int] | None,
    reprompt: Reprompt | None,
) -> TeacherContext:
    """What callbacks are told of one rollout; `teacher_ids`, prompt and response, are None without a target."""
    has_target = teacher_ids is not None
    teacher_prompt = list(teacher_ids[: len(teacher_ids) - len(response_ids)]) if has_target else None
    return TeacherContext(
        uid=rollout["uid"],
        prompt=tokenizer.decode(teacher_prompt) if has_target else None,
        has_target=has_target,
        feedback=rollout["feedback"],
        score=rollout["score"],
        shown=Shown(reprompt.demonstration, reprompt.feedback, reprompt.privileged_context) if has_target else None,
        tokens=TokenIds(prompt_ids, teacher_prompt, response_ids, rollout["is_own"]),
    )


def best_checkpoint(config: DictConfig) -> BestCheckpoint | None:
    """What the configuration asks for; None where it names no metric."""
    options = config.trainer.best_checkpoint
    if options.metric is None:
        return None
    return BestCheckpoint(Path(config.trainer.default_local_dir) / "best", options.metric, options.mode)
