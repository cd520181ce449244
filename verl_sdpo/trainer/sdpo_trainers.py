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
from omegaconf import DictConfig, OmegaConf
from tensordict import TensorDict
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1 import PPOTrainer, PPOTrainerColocateAsync, PPOTrainerSeparateAsync, PPOTrainerSync
from verl.utils import hf_tokenizer
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.debug import marked_timer
from verl.utils.fs import copy_to_local

from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.config.checks import SDPO
from verl_sdpo.trainer.advantage_estimator import ESTIMATOR, advantage_metrics
from verl_sdpo.trainer.batch_fields import (
    ask_instead,
    read_evidence,
    read_generated,
    read_questions,
    read_rollouts,
    write_placeholder_log_probs,
    write_student_prompts,
    write_teacher_inputs,
)
from verl_sdpo.trainer.checkpoints import Checkpoints
from verl_sdpo.trainer.own_log_probs import needs_no_old_log_probs, rollout_is_threshold
from verl_sdpo.trainer.prompt_renderer import PromptRenderer
from verl_sdpo.trainer.rank_balance import balance_teacher, balance_update
from verl_sdpo.trainer.row_report import report_rows
from verl_sdpo.trainer.teacher_batch import TeacherBatch, build_teacher_batch, check_student_prompt
from verl_sdpo.trainer.teacher_generation import generation_metrics, generation_prompts, student_prompt_ids
from verl_sdpo.trainer.teacher_validation import TeacherValidation
from verl_sdpo.trainer.verdicts import Verdicts
from verl_sdpo.trainer.watching import Watching
from verl_sdpo.worker.detached_worker import SdpoDetachActorWorker
from verl_sdpo.worker.loss_adapter import OLD_IS_OWN, ROLLOUT_THRESHOLD
from verl_sdpo.worker.sdpo_worker import SdpoActorRolloutRefWorker

logger = logging.getLogger(__name__)

_ACTOR_ROLES = (Role.Actor, Role.ActorRollout, Role.ActorRolloutRef)


class _SelfDistillation:
    """What SDPO adds to a verl trainer; to stand before one among a class's bases."""

    # Whether this step's old log-probabilities are made in its update (`verl_sdpo.trainer.own_log_probs`).
    old_is_own = False
    # The student's Hugging Face configuration.
    student_config: Any = None
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
        check_external_tokenizer(self.tokenizer, self.self_distillation.external_teacher_path, self.config)
        model_config = omega_conf_to_dataclass(self.config.actor_rollout_ref.model)
        self.student_config = model_config.hf_config
        self.prompt_renderer = PromptRenderer(self.config, self.tokenizer, model_config.hf_config.model_type)

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        max_length = self.config.data.max_prompt_length
        reports = [
            report_rows(split, dataset, self.prompt_renderer, max_length)
            for split, dataset in (("train", self.train_dataset), ("val", self.val_dataset))
        ]
        self.row_metrics = {name: count for report in reports for name, count in report.metrics().items()}

    def _next_train_batch(self, *args: Any, **kwargs: Any) -> TensorDict:
        batch = super()._next_train_batch(*args, **kwargs)
        if self.self_distillation.generation_by == "student":
            return batch
        prompts = generation_prompts(
            read_questions(batch),
            self.self_distillation.reprompt,
            self.prompt_renderer,
            self.config.actor_rollout_ref.rollout.prompt_length,
            self.tokenizer.all_special_tokens,
        )
        if prompts.num_shortened or prompts.num_too_long:
            logger.warning(
                "step %d: of %d demonstrations %d were shortened and %d left out to fit "
                "actor_rollout_ref.rollout.prompt_length=%d and max_reprompt_len=%d",
                self.global_steps,
                len(prompts.messages),
                prompts.num_shortened,
                prompts.num_too_long,
                self.config.actor_rollout_ref.rollout.prompt_length,
                self.self_distillation.reprompt.max_reprompt_len,
            )
        return ask_instead(batch, prompts.messages)

    def _balance_batch(self, batch: KVBatchMeta, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> KVBatchMeta:
        # The first step after sampling, and before padding samples are made of the first sample.
        if self.self_distillation.generation_by == "teacher":
            samples = read_generated(batch)
            max_length = self.config.actor_rollout_ref.rollout.prompt_length
            prompt_ids = student_prompt_ids(samples, self.prompt_renderer, max_length)
            batch = write_student_prompts(batch, samples, prompt_ids)
            metrics.update(generation_metrics(samples))
        return super()._balance_batch(batch, metrics, *args, **kwargs)

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        self.old_is_own = needs_no_old_log_probs(self.config, self.self_distillation, self.student_config, len(batch))
        if not self.old_is_own:
            return super()._compute_old_log_prob(batch, metrics)
        return write_placeholder_log_probs(batch)

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        with marked_timer("reprompt", self.timing_raw, color="brown"):
            batch, self.teacher_batch = self._reprompt(batch)
        metrics.update(self.row_metrics | self.teacher_batch.metrics)
        if self.config.algorithm.adv_estimator != SDPO:
            batch = super()._compute_advantage(batch, metrics)
            if self.old_is_own:
                # verl has compared the rollout with the placeholder.
                for name in [name for name in metrics if name.startswith("rollout_corr/")]:
                    del metrics[name]
            return batch
        # Storing fields has made a new batch, without what verl told the workers before.
        batch.extra_info["temperature"] = self.config.actor_rollout_ref.rollout.temperature
        with marked_timer("teacher", self.timing_raw, color="olive"):
            lengths = self.teacher_batch.lengths
            self.actor_rollout_wg.compute_teacher_log_prob(
                balance_teacher(batch, lengths, self._num_ranks(), self.config)
            )
            evidence = read_evidence(batch)
        metrics.update(advantage_metrics(evidence))
        with ESTIMATOR.given(self.self_distillation, evidence):
            return super()._compute_advantage(batch, metrics)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        has_target = any(self.teacher_batch.has_target)
        metrics["self_distillation/empty_target_batch"] = float(not has_target)
        if not has_target and not learns_without_targets(self.config, self.self_distillation):
            logger.warning(
                "step %d: no sample has a target (no success to show and no feedback), so nothing is updated",
                self.global_steps,
            )
            return batch
        lengths = self.teacher_batch.lengths
        batch, balance = balance_update(batch, lengths, self._num_ranks(), self.config, self.self_distillation)
        metrics.update(balance)
        if self.old_is_own:
            batch.extra_info[OLD_IS_OWN] = True
            batch.extra_info[ROLLOUT_THRESHOLD] = rollout_is_threshold(self.config) or 0.0
        batch = super()._update_actor(batch, metrics)
        for name in [name for name in metrics if name.startswith("actor/self_distillation/")]:
            metrics[name.removeprefix("actor/")] = metrics.pop(name)
        return batch

    def _num_ranks(self) -> int:
        """Ranks that get samples of their own: where verl's `_balance_batch`, earlier in the step, has left it."""
        return max(self.actor_rollout_wg._dispatch_info["actor"]) + 1

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
            sample_weighting=self.self_distillation.sample_weighting,
        )
        self.show_teacher_contexts(rollouts, prompt_ids, response_ids, teacher_batch)
        return write_teacher_inputs(batch, teacher_batch), teacher_batch


def check_external_tokenizer(tokenizer: Any, path: str | None, config: DictConfig) -> None:
    """Refuse an external teacher that reads other token ids than the student writes; None is no such teacher.

    Raises:
        ValueError: the ids of the two tokenizers differ.
    """
    if path is None:
        return
    trust_remote_code = config.actor_rollout_ref.model.get("trust_remote_code", False)
    of_teacher = hf_tokenizer(copy_to_local(path), trust_remote_code=trust_remote_code).get_vocab()
    of_student = tokenizer.get_vocab()
    differing = sorted(
        token for token in of_student.keys() | of_teacher.keys() if of_student.get(token) != of_teacher.get(token)
    )
    if differing:
        raise ValueError(
            f"external_teacher_path={path!r} has another tokenizer than the student: {len(differing)} tokens have "
            f"other ids, such as {differing[:3]}; choose a teacher with the student's tokenizer"
        )


def learns_without_targets(config: DictConfig, options: SelfDistillationConfig) -> bool:
    """Whether a batch in which the teacher has nothing to say still has something to learn from: rewards."""
    if config.algorithm.adv_estimator == SDPO and options.group_advantage_weight == 0.0:
        return False
    return config.actor_rollout_ref.actor.policy_loss.loss_mode != SDPO or options.distillation_weight < 1.0


class SdpoTrainerSync(_SelfDistillation, Verdicts, Checkpoints, Watching, TeacherValidation, PPOTrainerSync):
    """SDPO with trainer and rollout taking turns (`trainer.v1.trainer_mode=sync`)."""


class SdpoTrainerColocateAsync(
    _SelfDistillation, Verdicts, Checkpoints, Watching, TeacherValidation, PPOTrainerColocateAsync
):
    """SDPO with partial rollouts on the trainer's devices (`trainer.v1.trainer_mode=colocate_async`)."""


class SdpoTrainerSeparateAsync(
    _SelfDistillation, Verdicts, Checkpoints, Watching, TeacherValidation, PPOTrainerSeparateAsync
):
    """SDPO with rollouts on devices of their own (`trainer.v1.trainer_mode=separate_async`)."""

    actor_worker_class = SdpoDetachActorWorker


SDPO_TRAINERS: dict[str, type[PPOTrainer]] = {
    "sync": SdpoTrainerSync,
    "colocate_async": SdpoTrainerColocateAsync,
    "separate_async": SdpoTrainerSeparateAsync,
}
