# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's step in verl's V1 trainers.

verl's step is sample, score, balance, old log-probs, advantages, update (`PPOTrainer._step_once`, verl 0.9.1). SDPO
adds one thing: before the update the teacher's inputs are written beside the samples. What happens with them on the
ranks is `verl_sdpo.worker`'s. There is one trainer for each `trainer.v1.trainer_mode`, since verl's base class asks for
the mode by name.
"""

from __future__ import annotations

import logging
from typing import Any

import ray
from omegaconf import OmegaConf
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1 import PPOTrainer, PPOTrainerColocateAsync, PPOTrainerSeparateAsync, PPOTrainerSync
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.debug import marked_timer

from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.trainer.batch_fields import read_rollouts, write_teacher_inputs
from verl_sdpo.trainer.prompt_renderer import PromptRenderer
from verl_sdpo.trainer.row_report import report_rows
from verl_sdpo.trainer.teacher_batch import TeacherBatch, build_teacher_batch, check_student_prompt
from verl_sdpo.worker.detached_worker import SdpoDetachActorWorker
from verl_sdpo.worker.sdpo_worker import SdpoActorRolloutRefWorker

logger = logging.getLogger(__name__)

_ACTOR_ROLES = (Role.Actor, Role.ActorRollout, Role.ActorRolloutRef)


class _SelfDistillation:
    """What SDPO adds to a verl trainer; to stand before one among a class's bases."""

    # What stands in for the worker that verl's trainer of this mode uses.
    actor_worker_class = SdpoActorRolloutRefWorker

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        for role in _ACTOR_ROLES:
            if role in self.role_worker_mapping:
                self.role_worker_mapping[role] = ray.remote(self.actor_worker_class)

    def _init_tokenizer(self) -> None:
        super()._init_tokenizer()
        if self.processor is not None:
            raise ValueError(
                f"actor_rollout_ref.model.path={self.config.actor_rollout_ref.model.path!r} is a multimodal model: "
                "SDPO's teacher reads text only; use a text model"
            )
        options = OmegaConf.to_container(self.config.actor_rollout_ref.actor.self_distillation, resolve=True)
        self.self_distillation = SelfDistillationConfig.from_flat(options)
        model_config = omega_conf_to_dataclass(self.config.actor_rollout_ref.model)
        self.prompt_renderer = PromptRenderer(self.config, self.tokenizer, model_config.hf_config.model_type)

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        max_length = self.config.data.max_prompt_length
        reports = [
            report_rows(split, dataset, self.prompt_renderer, max_length)
            for split, dataset in (("train", self.train_dataset), ("val", self.val_dataset))
        ]
        self.row_metrics = {name: count for report in reports for name, count in report.metrics().items()}

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        with marked_timer("reprompt", self.timing_raw, color="brown"):
            batch, teacher_batch = self._reprompt(batch)
        metrics.update(self.row_metrics | teacher_batch.metrics)
        has_update = any(teacher_batch.has_target)
        metrics["self_distillation/empty_target_batch"] = float(not has_update)
        if not has_update:
            logger.warning(
                "step %d: no sample has a target (no success to show and no feedback), so nothing is updated",
                self.global_steps,
            )
            return batch
        batch = super()._update_actor(batch, metrics)
        for name in [name for name in metrics if name.startswith("actor/self_distillation/")]:
            metrics[name.removeprefix("actor/")] = metrics.pop(name)
        return batch

    def _reprompt(self, batch: KVBatchMeta) -> tuple[KVBatchMeta, TeacherBatch]:
        """Read the rollouts, build what the teacher reads, store it with the samples."""
        rollouts, prompt_ids, response_ids = read_rollouts(batch, self.tokenizer)
        real = [index for index, rollout in enumerate(rollouts) if not rollout["is_padding"]]
        for sample in real[:1]:
            check_student_prompt(
                rollouts[sample]["prompt"], rollouts[sample]["extra_info"], prompt_ids[sample], self.prompt_renderer
            )
        teacher_batch = build_teacher_batch(
            rollouts,
            response_ids,
            self.self_distillation.reprompt,
            self.prompt_renderer,
            self.tokenizer.all_special_tokens,
        )
        return write_teacher_inputs(batch, teacher_batch.input_ids), teacher_batch


class SdpoTrainerSync(_SelfDistillation, PPOTrainerSync):
    """SDPO with trainer and rollout taking turns (`trainer.v1.trainer_mode=sync`)."""


class SdpoTrainerColocateAsync(_SelfDistillation, PPOTrainerColocateAsync):
    """SDPO with partial rollouts on the trainer's devices (`trainer.v1.trainer_mode=colocate_async`)."""


class SdpoTrainerSeparateAsync(_SelfDistillation, PPOTrainerSeparateAsync):
    """SDPO with rollouts on devices of their own (`trainer.v1.trainer_mode=separate_async`)."""

    actor_worker_class = SdpoDetachActorWorker


SDPO_TRAINERS: dict[str, type[PPOTrainer]] = {
    "sync": SdpoTrainerSync,
    "colocate_async": SdpoTrainerColocateAsync,
    "separate_async": SdpoTrainerSeparateAsync,
}
