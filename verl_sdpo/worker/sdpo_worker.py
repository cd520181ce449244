# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's workers with a teacher: what happens on a rank in one SDPO training step.

`SdpoTrainingWorker` is the actor's worker, chosen through `ActorRolloutRefWorker.actor_worker_cls`; both classes add
to verl's methods and call them, none is replaced.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time

import torch
from tensordict import TensorDict
from verl.single_controller.base.decorator import Dispatch, make_nd_compute_dataproto_dispatch_fn, register
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from verl_sdpo.algorithm.linear_kernels import kernels_for
from verl_sdpo.config.checks import SDPO
from verl_sdpo.worker.actor_config import SdpoActorConfig
from verl_sdpo.worker.base_state import BaseState
from verl_sdpo.worker.distilling_head import distilling_head, why_not
from verl_sdpo.worker.finite_targets import without_broken_tokens
from verl_sdpo.worker.idle_samples import without_idle_samples
from verl_sdpo.worker.loss_adapter import PREFIX, SelfDistillationLoss
from verl_sdpo.worker.memory import told_of_memory
from verl_sdpo.worker.output_head import check_output_head
from verl_sdpo.worker.teacher_choice import build_teacher
from verl_sdpo.worker.teacher_pass import NO_TARGET, TeacherSequence, TeacherTargets, run_teacher
from verl_sdpo.worker.update_guard import guarded_update

logger = logging.getLogger(__name__)


class SdpoTrainingWorker(TrainingWorker):
    """A training worker with a teacher, and a loss that looks at it where the run's policy loss is SDPO's."""

    # Whether that loss is made in the model's output head (`verl_sdpo.worker.distilling_head`).
    makes_loss_in_head = False

    def start_self_distillation(self, config: SdpoActorConfig) -> None:
        """Make the teacher from the weights as they are now, and set the loss."""
        check_output_head(self.model_config.hf_config)
        self.options = config.self_distillation
        self.teacher = build_teacher(self.options, self)
        # With SDPO as an advantage estimator the loss is verl's own, and is set already.
        self.distils_in_loss = config.policy_loss.loss_mode == SDPO
        if self.distils_in_loss:
            self.set_loss_fn(SelfDistillationLoss(config))
        self.makes_loss_in_head = self.distils_in_loss and self._can_make_loss_in_head()
        self._num_moves = self._num_skipped = self._num_odd = 0
        self._teacher_seconds = 0.0
        # Of this step and this rank: tokens that are no targets since the teacher's state there is not finite.
        self._num_broken_tokens = 0

    def compute_teacher_log_prob(self, data: TensorDict) -> TensorDict:
        """The teacher's log-probabilities of the sampled tokens: `teacher_log_probs`, jagged `(bsz, response_len)`.

        Zero at tokens without a target; `teacher_target_mask`, of the same form, says which have one.
        """
        started = time.perf_counter()
        self._num_broken_tokens = 0
        targets = self._listen_to_teacher(data, _mark_targets(data, self.options.skip_first_tokens))
        temperature = tu.get_non_tensor_data(data=data, key="temperature", default=1.0)
        rows = zip(data["target_index"].tolist(), data["target_mask"].unbind(), data["responses"].unbind(), strict=True)
        log_probs = []
        for target, mask, token_ids in rows:
            row = torch.zeros(mask.numel())
            if target != NO_TARGET:
                counted = mask.nonzero().squeeze(-1)
                row[counted.cpu()] = targets.log_probs(target, token_ids[counted], temperature).cpu()
            log_probs.append(row)
        self._teacher_seconds = time.perf_counter() - started
        return tu.get_tensordict(
            {
                "teacher_log_probs": torch.nested.as_nested_tensor(log_probs, layout=torch.jagged),
                "teacher_target_mask": data["target_mask"],
            }
        )

    def train_mini_batch(self, data: TensorDict) -> TensorDict:
        """Teacher pass, verl's update of the student, update of the teacher if the student moved."""
        self._num_moves = self._num_skipped = self._num_odd = 0
        if self.distils_in_loss:
            self._teacher_seconds, self._num_broken_tokens = 0.0, 0
            sequences = _mark_targets(data, self.options.skip_first_tokens)
            if self.loss_fn.distils and not self.teacher.follows_student:
                self._set_targets(data, sequences)
                self._summarize_targets(data)
        try:
            output = super().train_mini_batch(data)
        finally:
            if self.distils_in_loss:
                self.loss_fn.targets = None
        if self._num_moves > 0:
            self.teacher.update()
        distance, num_broken = self._teacher_distance(), self._sum_over_ranks(self._num_broken_tokens)
        if output is not None:
            metrics = tu.get(output, "metrics")
            metrics[f"{PREFIX}teacher_seconds"] = self._teacher_seconds
            metrics[f"{PREFIX}num_optimizer_steps"] = self._num_moves
            metrics[f"{PREFIX}skipped_updates"] = self._num_skipped
            metrics[f"{PREFIX}nonfinite_updates"] = self._num_odd
            metrics[f"{PREFIX}nonfinite_teacher_tokens"] = num_broken
            # verl's trainer takes it out of the metrics; a step without a forward of the student has none.
            metrics.setdefault("mfu", 0.0)
            if distance is not None:
                metrics[f"{PREFIX}teacher_distance"] = distance
        return output

    def train_batch(self, data: TensorDict) -> TensorDict:
        """verl's optimizer step on one mini-batch; none where its loss has nothing to say, or is not finite.

        Zero gradients are not nothing: Adam's momentum and weight decay would move the student all the same.
        """
        if self.distils_in_loss:
            if self.loss_fn.distils and self.teacher.follows_student:
                sequences = _mark_targets(data, self.options.skip_first_tokens)
                self._set_targets(data, sequences, disable_auto_offload=True)
            num_tokens, num_sequences = self._count_targets(data)
            if num_tokens == 0 and self.loss_fn.policy_terms.policy_weight == 0.0:
                # The schedule counts training steps in which the student moved, also if the last mini-batch is empty.
                if tu.get(data, key="update_lr_scheduler", default=False) and self._num_moves > 0:
                    self.engine.lr_scheduler_step()
                self._num_skipped += 1
                return tu.get_tensordict({}, {"metrics": {}})
            if not self.loss_fn.policy_terms.are_needed:
                data = without_idle_samples(data, self.engine, self.engine_config)
            tu.assign_non_tensor(
                data,
                num_target_tokens=num_tokens,
                num_target_sequences=num_sequences,
                distillation_use_topk=self.loss_fn.distils,  # verl's name for: hand the logits to the loss function
                distillation_only=not self.loss_fn.policy_terms.are_needed,
            )
        with (
            told_of_memory("the update of the student", self.engine_config, forward_only=False),
            self._head(data),
            guarded_update(self.engine, has_moved=self._num_moves > 0),
        ):
            output = super().train_batch(data)
        if math.isfinite(tu.get(output, "metrics")["grad_norm"]):
            self._num_moves += 1
        else:
            self._num_odd += 1
        return output

    def infer_batch(self, data: TensorDict) -> TensorDict:
        """verl's pass for log-probabilities."""
        with told_of_memory("the pass for log-probabilities", self.engine_config, forward_only=True):
            return super().infer_batch(data)

    def _can_make_loss_in_head(self) -> bool:
        if self.options.distillation_head == "plain" or not self.loss_fn.distils:
            return False
        reason = why_not(self.engine.module)
        if self.loss_fn.policy_terms.are_needed:
            reason = "the loss has terms of verl's besides distillation, which need logits"
        if reason is not None:
            logger.warning("distillation_head=chunked is not possible, logits are made of all tokens: %s", reason)
            return False
        # What cannot run here is said before the first rollout.
        kernels_for(self.loss_fn.kernels, torch.device(self.device_name))
        return True

    def _head(self, data: TensorDict) -> contextlib.AbstractContextManager[None]:
        # verl's own entropy is made of logits; SDPO's metrics have it in any case.
        if not self.makes_loss_in_head or tu.get_non_tensor_data(data, "calculate_entropy", False):
            return contextlib.nullcontext()
        return distilling_head(self.engine, self.loss_fn.values_of, self.loss_fn.read_values)

    def _set_targets(
        self, data: TensorDict, sequences: list[TeacherSequence], disable_auto_offload: bool = False
    ) -> None:
        started = time.perf_counter()
        self.loss_fn.targets = self._listen_to_teacher(data, sequences, disable_auto_offload)
        self._teacher_seconds += time.perf_counter() - started

    def _summarize_targets(self, data: TensorDict) -> None:
        """Make the teacher's normalisers, where several epochs would each make its logits for them."""
        has_epochs = tu.get_non_tensor_data(data, "epochs", 1) > 1
        if not (self.makes_loss_in_head and has_epochs and self.loss_fn.objective.reads_student_ids_only):
            return
        started = time.perf_counter()
        temperature = tu.get_non_tensor_data(data, "temperature", 1.0)
        self.loss_fn.targets = self.loss_fn.targets.summarized(
            temperature, self.options.distillation_chunk_size, self.loss_fn.kernels
        )
        self._teacher_seconds += time.perf_counter() - started

    def _listen_to_teacher(
        self, data: TensorDict, sequences: list[TeacherSequence], disable_auto_offload: bool = False
    ) -> TeacherTargets:
        """What the teacher says of the sequences that `_mark_targets` has found in these samples."""
        config = self.engine_config
        longest = self.options.reprompt.max_reprompt_len
        with told_of_memory("the teacher's pass", config, forward_only=True, max_reprompt_len=longest):
            targets = run_teacher(
                self.engine,
                self.teacher,
                sequences,
                max_rows=None if config.use_dynamic_bsz else config.infer_micro_batch_size_per_gpu,
                max_tokens=config.infer_max_token_len_per_gpu if config.use_dynamic_bsz else None,
                use_remove_padding=config.use_remove_padding,
                disable_auto_offload=disable_auto_offload,
            )
        targets, num_broken = without_broken_tokens(data, targets)
        self._num_broken_tokens += num_broken
        return targets

    def save_checkpoint(self, local_path, hdfs_path=None, global_step=0, max_ckpt_to_keep=None):
        """verl's checkpoint of the student, with the teacher's shards beside it."""
        super().save_checkpoint(local_path, hdfs_path, global_step, max_ckpt_to_keep)
        torch.save(self.teacher.state_dict(), self._teacher_path(local_path))
        # verl's driver names the checkpoint as the latest one once every rank has returned.
        torch.distributed.barrier()

    def load_checkpoint(self, local_path, hdfs_path=None, del_local_after_load=False):
        """verl's, and the teacher's shards.

        Raises:
            FileNotFoundError: the checkpoint has no teacher for this rank.
        """
        super().load_checkpoint(local_path, hdfs_path, del_local_after_load)
        path = self._teacher_path(local_path)
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"trainer.resume_mode: {path} does not exist. The checkpoint was not written by SDPO with this number "
                "of ranks; resume it as it was written, or start anew with trainer.resume_mode=disable and "
                "actor_rollout_ref.model.path set to its exported model"
            )
        self.teacher.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def remember_base(self, seed: int) -> str:
        """Keep a copy of all that training moves, to return to; its digest, which differs from rank to rank.

        Args:
            seed: of this process's generators, which are begun anew with it.
        """
        self._base = BaseState(self.engine, self.teacher, seed, self.rank)
        return self._base.digest_now()

    def return_to_base(self) -> str:
        """Make everything as it was when `remember_base` was called; the digest of what it is then."""
        self._base.restore()
        return self._base.digest_now()

    def _teacher_path(self, local_path: str) -> str:
        return os.path.join(local_path, f"teacher_world_size_{self.world_size}_rank_{self.rank}.pt")

    def _count_targets(self, data: TensorDict) -> tuple[int, int]:
        """(tokens, sequences) with a target in this mini-batch, over all ranks."""
        mask = data["target_mask"]
        num_sequences = sum(bool(row.any()) for row in mask.unbind())
        counts = torch.tensor([int(mask.values().sum()), num_sequences], device=self.device_name)
        torch.distributed.all_reduce(counts, group=self.engine.get_data_parallel_group())
        num_tokens, num_sequences = counts.tolist()
        return num_tokens, num_sequences

    def _sum_over_ranks(self, count: int) -> int:
        total = torch.tensor(count, device=self.device_name)
        torch.distributed.all_reduce(total, group=self.engine.get_data_parallel_group())
        return int(total.item())

    def _teacher_distance(self) -> float | None:
        """|teacher - student| / |student| over all trained weights, after the update; None where it has no meaning."""
        squared = self.teacher.squared_distance()
        if squared is None:
            return None
        sums = torch.stack(squared)
        torch.distributed.all_reduce(sums, group=self.engine.get_data_parallel_group())
        distance, size = sums.tolist()
        return math.sqrt(distance / size) if size > 0 else 0.0


class SdpoActorRolloutRefWorker(ActorRolloutRefWorker):
    """verl's hybrid worker with SDPO's actor. A reference model, where a KL term asks for one, stays verl's own."""

    actor_worker_cls = SdpoTrainingWorker

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def init_model(self):
        super().init_model()
        if self._is_actor:
            config: SdpoActorConfig = omega_conf_to_dataclass(self.config.actor)
            self.actor.start_self_distillation(config)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def remember_base(self, seed: int) -> str:
        """See `SdpoTrainingWorker.remember_base`."""
        return self.actor.remember_base(seed)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def return_to_base(self) -> str:
        """See `SdpoTrainingWorker.return_to_base`."""
        return self.actor.return_to_base()

    @register(dispatch_mode=make_nd_compute_dataproto_dispatch_fn(mesh_name="actor"))
    def compute_teacher_log_prob(self, data: TensorDict) -> TensorDict:
        """See `SdpoTrainingWorker.compute_teacher_log_prob`."""
        return self.actor.compute_teacher_log_prob(data)


def _mark_targets(data: TensorDict, skip_first_tokens: int) -> list[TeacherSequence]:
    """Read the trainer's fields; mark the tokens to distil.

    Sets `target_mask`, jagged `(bsz, response_len)`, to the response mask of the samples with a target without each
    one's first `skip_first_tokens` own tokens, and `target_index` to each sample's place in the returned list.
    """
    has_target = data["self_distillation_mask"].reshape(-1) > 0  # (bsz,)
    # The first of the model's own tokens: a tool's answer in between is not counted, one that was rejected is.
    rows = zip(data["response_mask"].unbind(), data["loss_mask"].unbind(), has_target, strict=True)
    masks = [
        ((mask != 0) & ((own != 0).cumsum(0) > skip_first_tokens) & is_target).to(mask.dtype)
        for mask, own, is_target in rows
    ]
    # Rejection sampling may have taken every token of a sample out since the trainer chose the targets.
    has_target = torch.stack([mask.any() for mask in masks])
    rows = zip(data["teacher_input_ids"].unbind(), masks, has_target.tolist(), strict=True)
    sequences = [TeacherSequence(input_ids, mask) for input_ids, mask, is_target in rows if is_target]
    places = has_target.long().cumsum(0) - 1
    data["target_index"] = torch.where(has_target, places, torch.full_like(places, NO_TARGET))
    data["target_mask"] = torch.nested.nested_tensor_from_jagged(
        torch.cat(masks), data["response_mask"].offsets(), max_seqlen=max(mask.numel() for mask in masks)
    )
    return sequences
