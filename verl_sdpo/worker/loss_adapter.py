# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's loss as verl's engine calls it: the one file that knows what a verl micro-batch looks like.

The engine calls a loss function twice (`FSDPEngineWithLMHead.prepare_model_outputs` and `forward_step`, verl 0.9.1):
first as a logits processor, while the student's logits are at hand, for values per token; then for the scalar.
"""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.metric import AggregationType, Metric
from verl.workers.utils.padding import no_padding_2_padding

from verl_sdpo.algorithm.aggregate import aggregate_loss
from verl_sdpo.algorithm.importance import importance_weights
from verl_sdpo.algorithm.token_loss import distill_tokens
from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.worker.teacher_pass import NO_TARGET, TeacherTargets, predicting_rows

PREFIX = "self_distillation/"
# Values per token, averaged over the tokens with a target and logged; docs/metrics.md explains them.
_TOKEN_MEANS = (
    "divergence",
    "student_entropy",
    "teacher_entropy",
    "student_support_mass",
    "teacher_support_mass",
    "importance_ratio",
    "importance_weight",
)


class SelfDistillationLoss:
    """The loss of a micro-batch. `targets` is set for the duration of a training step.

    Args:
        config: SDPO's options.
        loss_agg_mode: verl's `actor.loss_agg_mode`.
        loss_scale_factor: verl's `actor.loss_scale_factor`.
    """

    def __init__(self, config: SelfDistillationConfig, loss_agg_mode: str, loss_scale_factor: float | None) -> None:
        self.config = config
        self.loss_agg_mode = loss_agg_mode
        self.loss_scale_factor = loss_scale_factor
        self.targets: TeacherTargets | None = None

    def __call__(
        self,
        model_output: dict[str, torch.Tensor] | None = None,
        data: TensorDict | None = None,
        dp_group: Any = None,
        student_logits: torch.Tensor | None = None,
    ):
        if student_logits is not None:
            return self.per_token(student_logits.squeeze(0), data)
        return self.scalar(model_output, data)

    def per_token(self, student_logits: torch.Tensor, data: TensorDict) -> dict[str, torch.Tensor]:
        """Values at the rows that predict a token with a target, zero at the others.

        Args:
            student_logits: `(num_packed_tokens, vocab)`, over the temperature.
            data: the micro-batch, with `target_index` `(bsz,)`.

        Returns:
            name to `(1, num_packed_tokens)`; `loss` is weighted and carries the gradient.
        """
        rows, tokens, targets = _select(data)
        temperature = tu.get_non_tensor_data(data=data, key="temperature", default=1.0)
        # Without a target the empty selection still hangs on the graph, which FSDP's backward needs on every rank.
        student = student_logits[rows.to(student_logits.device)]
        teacher = self.targets.logits(targets, temperature) if targets else student.detach()
        distilled = distill_tokens(
            student,
            teacher.to(student.device),
            data["responses"].values()[tokens],
            distillation_mode=self.config.distillation_mode,
            topk=self.config.distillation_topk,
            add_tail=self.config.distillation_add_tail,
            alpha=self.config.alpha,
        )
        rollout_weights = data["rollout_is_weights"].values()[tokens] if "rollout_is_weights" in data else None
        weights, ratio = importance_weights(
            distilled.log_probs,
            data["old_log_probs"].values()[tokens],
            is_clip=self.config.is_clip,
            rollout_is_weights=rollout_weights,
        )
        values = {
            "loss": distilled.loss * weights,
            "divergence": distilled.divergence,
            "student_entropy": distilled.student_entropy,
            "teacher_entropy": distilled.teacher_entropy,
            "student_support_mass": distilled.student_support_mass,
            "teacher_support_mass": distilled.teacher_support_mass,
            "importance_ratio": ratio,
            "importance_weight": weights,
        }
        return {f"sdpo_{name}": _scatter(value, rows, student_logits.shape[0]) for name, value in values.items()}

    def scalar(self, model_output: dict[str, torch.Tensor], data: TensorDict) -> tuple[torch.Tensor, dict[str, Metric]]:
        """The loss to call backward on, normalised over the whole mini-batch and all ranks, and the metrics."""
        mask = data["loss_mask"].to_padded_tensor(0)  # (bsz, response_len)
        num_tokens, dp_size = data["batch_num_tokens"], data["dp_size"]
        loss = aggregate_loss(
            no_padding_2_padding(model_output["sdpo_loss"], data),
            mask,
            self.loss_agg_mode,
            num_tokens=num_tokens,
            num_sequences=data["num_target_sequences"],
            dp_size=dp_size,
            loss_scale_factor=self.loss_scale_factor,
        )
        # Each micro-batch contributes a part of the mean over the mini-batch: parts add up, ranks are averaged.
        metrics = {f"{PREFIX}loss": Metric(AggregationType.SUM, loss)}
        for name in _TOKEN_MEANS:
            part = model_output[f"sdpo_{name}"].values().sum() * dp_size / max(num_tokens, 1)
            metrics[PREFIX + name] = Metric(AggregationType.SUM, part)
        largest = model_output["sdpo_importance_ratio"].values().max()
        metrics[f"{PREFIX}importance_ratio_max"] = Metric(AggregationType.MAX, largest)
        return loss, metrics


def _select(data: TensorDict) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """The tokens with a target: rows in the packed logits, places in the packed responses, and the targets."""
    sequence_ends = data["input_ids"].offsets()[1:].tolist()
    response_starts = data["responses"].offsets()[:-1].tolist()
    rows, tokens, targets = [], [], []
    samples = zip(
        sequence_ends, response_starts, data["target_index"].tolist(), data["response_mask"].unbind(), strict=True
    )
    for end, start, target, mask in samples:
        if target != NO_TARGET:
            rows.append(predicting_rows(end, mask))
            tokens.append(start + mask.nonzero().squeeze(-1))
            targets.append(target)
    empty = torch.zeros(0, dtype=torch.int64, device=data["responses"].device)
    return torch.cat([empty, *rows]), torch.cat([empty, *tokens]), targets


def _scatter(values: torch.Tensor, rows: torch.Tensor, num_rows: int) -> torch.Tensor:
    flat = values.new_zeros(num_rows)
    return flat.index_put((rows.to(values.device),), values).unsqueeze(0)
