# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's workers with a teacher: what happens on a rank in one SDPO training step.

`SdpoTrainingWorker` is the actor's worker, chosen through `ActorRolloutRefWorker.actor_worker_cls`; both classes add
to verl's methods and call them, none is replaced.
"""

from __future__ import annotations

import math
import os
import time

import torch
from tensordict import TensorDict
from verl.single_controller.base.decorator import Dispatch, register
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from verl_sdpo.teacher.ema import EmaTeacher
from verl_sdpo.worker.actor_config import SdpoActorConfig
from verl_sdpo.worker.loss_adapter import PREFIX, SelfDistillationLoss
from verl_sdpo.worker.output_head import check_output_head
from verl_sdpo.worker.teacher_pass import NO_TARGET, TeacherSequence, run_teacher


class SdpoTrainingWorker(TrainingWorker):
    """A training worker whose loss looks at a teacher made of the model's own past weights."""

    def start_self_distillation(self, config: SdpoActorConfig) -> None:
        """Make the teacher from the weights as they are now, and set the loss."""
        check_output_head(self.model_config.hf_config)
        options = config.self_distillation
        self.teacher = EmaTeacher(self.engine.module, options.teacher_update_rate)
        self.set_loss_fn(SelfDistillationLoss(options, config.loss_agg_mode, config.loss_scale_factor))
        self._num_moves = self._num_skipped = 0

    def train_mini_batch(self, data: TensorDict) -> TensorDict:
        """Teacher pass, verl's update of the student, update of the teacher if the student moved."""
        started = time.perf_counter()
        sequences = _mark_targets(data)
        self.loss_fn.targets = run_teacher(
            self.engine,
            self.teacher,
            sequences,
            max_rows=None if self.engine_config.use_dynamic_bsz else self.engine_config.infer_micro_batch_size_per_gpu,
            max_tokens=self.engine_config.infer_max_token_len_per_gpu if self.engine_config.use_dynamic_bsz else None,
            use_remove_padding=self.engine_config.use_remove_padding,
        )
        teacher_seconds = time.perf_counter() - started
        self._num_moves = self._num_skipped = 0
        try:
            output = super().train_mini_batch(data)
        finally:
            self.loss_fn.targets = None
        if self._num_moves > 0:
            self.teacher.update()
        if output is not None:
            metrics = tu.get(output, "metrics")
            metrics[f"{PREFIX}teacher_seconds"] = teacher_seconds
            metrics[f"{PREFIX}num_optimizer_steps"] = self._num_moves
            metrics[f"{PREFIX}skipped_updates"] = self._num_skipped
            # verl's trainer takes it out of the metrics; a step without a forward of the student has none.
            metrics.setdefault("mfu", 0.0)
            metrics[f"{PREFIX}teacher_distance"] = self._teacher_distance()
        return output

    def train_batch(self, data: TensorDict) -> TensorDict:
        """verl's optimizer step on one mini-batch; none where no rank has a token with a target.

        Zero gradients are not nothing: Adam's momentum and weight decay would move the student all the same.
        """
        num_tokens, num_sequences = self._count_targets(data)
        if num_tokens == 0:
            # The schedule counts training steps in which the student moved, also if the last mini-batch is empty.
            if tu.get(data, key="update_lr_scheduler", default=False) and self._num_moves > 0:
                self.engine.lr_scheduler_step()
            self._num_skipped += 1
            return tu.get_tensordict({}, {"metrics": {}})
        tu.assign_non_tensor(data, num_target_sequences=num_sequences)
        output = super().train_batch(data)
        if math.isfinite(tu.get(output, "metrics")["grad_norm"]):
            self._num_moves += 1
        return output

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

    def _teacher_path(self, local_path: str) -> str:
        return os.path.join(local_path, f"teacher_world_size_{self.world_size}_rank_{self.rank}.pt")

    def _count_targets(self, data: TensorDict) -> tuple[int, int]:
        """(tokens, sequences) with a target in this mini-batch, over all ranks."""
        mask = data["loss_mask"]
        num_sequences = sum(bool(row.any()) for row in mask.unbind())
        counts = torch.tensor([int(mask.values().sum()), num_sequences], device=self.device_name)
        torch.distributed.all_reduce(counts, group=self.engine.get_data_parallel_group())
        num_tokens, num_sequences = counts.tolist()
        return num_tokens, num_sequences

    def _teacher_distance(self) -> float:
        """|teacher - student| / |student| over all weights, after the update."""
        sums = torch.stack(self.teacher.squared_distance())
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


def _mark_targets(data: TensorDict) -> list[TeacherSequence]:
    """Read the trainer's fields; tell verl's engine and the loss which tokens count.

    Sets `loss_mask` (what verl counts tokens by) to the response mask of the samples with a target, `target_index` to
    each sample's place in the returned list, and the engine's switch that hands logits to the loss.
    """
    response_mask = data["response_mask"]
    # Rejection sampling may have taken every token of a sample out since the trainer chose the targets.
    has_tokens = torch.stack([row.any() for row in response_mask.unbind()])
    has_target = (data["self_distillation_mask"].reshape(-1) > 0) & has_tokens  # (bsz,)
    rows = zip(data["teacher_input_ids"].unbind(), response_mask.unbind(), has_target.tolist(), strict=True)
    sequences = [TeacherSequence(input_ids, mask) for input_ids, mask, is_target in rows if is_target]
    places = has_target.long().cumsum(0) - 1
    data["target_index"] = torch.where(has_target, places, torch.full_like(places, NO_TARGET))
    lengths = response_mask.offsets().diff()
    counted = response_mask.values() * has_target.to(response_mask.dtype).repeat_interleave(lengths)
    data["loss_mask"] = torch.nested.nested_tensor_from_jagged(counted, response_mask.offsets())
    tu.assign_non_tensor(data, distillation_use_topk=True, distillation_only=True)
    return sequences
