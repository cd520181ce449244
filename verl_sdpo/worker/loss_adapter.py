# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's loss as verl's engine calls it: the one file that knows what a verl micro-batch looks like.

The engine calls a loss function twice (`FSDPEngineWithLMHead.prepare_model_outputs` and `forward_step`, verl 0.9.1):
first as a logits processor, while the student's logits are at hand, for values per token; then for the scalar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.metric import AggregationType, Metric
from verl.workers.utils.padding import no_padding_2_padding

from verl_sdpo.algorithm.aggregate import aggregate_loss
from verl_sdpo.algorithm.importance import importance_weights
from verl_sdpo.algorithm.sample_weights import token_entropy_weights
from verl_sdpo.algorithm.token_loss import distill_tokens
from verl_sdpo.worker.actor_config import SdpoActorConfig
from verl_sdpo.worker.policy_terms import PolicyTerms
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
    """The loss of a micro-batch. `targets` is set while there is something to distil.

    It is `w * distillation + (1 - w) * policy loss`, `w` the option `distillation_weight`, plus verl's KL and entropy
    terms where the actor's configuration has them. A part of weight zero is not computed.
    """

    def __init__(self, config: SdpoActorConfig) -> None:
        self.config = config
        self.options = config.self_distillation
        self.policy_terms = PolicyTerms(config, policy_weight=1.0 - self.options.distillation_weight)
        self.targets: TeacherTargets | None = None

    @property
    def distils(self) -> bool:
        """Whether the loss looks at a teacher at all."""
        return self.options.distillation_weight > 0.0

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
        chosen = _select(data)
        temperature = tu.get_non_tensor_data(data=data, key="temperature", default=1.0)
        # Rows are copied out before anything is computed: verl's fused cross-entropy may overwrite the logits in its
        # backward pass. Without a target the empty selection still hangs on the graph, which FSDP's backward needs.
        student = student_logits[chosen.rows.to(student_logits.device)]
        teacher = self.targets.logits(chosen.targets, temperature) if chosen.targets else student.detach()
        distilled = distill_tokens(
            student,
            teacher.to(student.device),
            data["responses"].values()[chosen.tokens],
            distillation_mode=self.options.distillation_mode,
            topk=self.options.topk,
            add_tail=self.options.distillation_add_tail,
            alpha=self.options.alpha,
            support=self.options.distillation_support,
            advantage_clip=self.options.advantage_clip,
            sequence_ids=chosen.samples,
        )
        rollout_weights = data["rollout_is_weights"].values()[chosen.tokens] if "rollout_is_weights" in data else None
        weights, ratio = importance_weights(
            distilled.log_probs,
            data["old_log_probs"].values()[chosen.tokens],
            is_clip=self.options.is_clip,
            rollout_is_weights=rollout_weights,
        )
        token_weights = token_entropy_weights(
            self.options.token_weighting, distilled.student_entropy, distilled.teacher_entropy, student.shape[-1]
        )
        if "self_distillation_weight" in data:
            token_weights = token_weights * data["self_distillation_weight"].reshape(-1)[chosen.samples]
        values = {
            "loss": distilled.loss * weights * token_weights,
            "divergence": distilled.divergence,
            "student_entropy": distilled.student_entropy,
            "teacher_entropy": distilled.teacher_entropy,
            "student_support_mass": distilled.student_support_mass,
            "teacher_support_mass": distilled.teacher_support_mass,
            "importance_ratio": ratio,
            "importance_weight": weights,
        }
        return {f"sdpo_{name}": _scatter(value, chosen.rows, student_logits.shape[0]) for name, value in values.items()}

    def scalar(self, model_output: dict[str, torch.Tensor], data: TensorDict) -> tuple[torch.Tensor, dict[str, Metric]]:
        """The loss to call backward on, normalised over the whole mini-batch and all ranks, and the metrics."""
        loss, metrics = 0.0, {}
        if self.distils:
            distillation, metrics = self._distillation(model_output, data)
            loss = self.options.distillation_weight * distillation
        if self.policy_terms.are_needed:
            terms, policy_metrics = self.policy_terms(model_output, data)
            loss, metrics = loss + terms, metrics | policy_metrics
        return loss, metrics

    def _distillation(self, model_output: dict[str, torch.Tensor], data: TensorDict):
        num_tokens, dp_size = data["num_target_tokens"], data["dp_size"]
        loss = aggregate_loss(
            no_padding_2_padding(model_output["sdpo_loss"], data),
            data["target_mask"].to_padded_tensor(0),  # (bsz, response_len)
            self.config.loss_agg_mode,
            num_tokens=num_tokens,
            num_sequences=data["num_target_sequences"],
            dp_size=dp_size,
            loss_scale_factor=self.config.loss_scale_factor,
        )
        # Each micro-batch contributes a part of the mean over the mini-batch: parts add up, ranks are averaged.
        metrics = {f"{PREFIX}loss": Metric(AggregationType.SUM, loss)}
        for name in _TOKEN_MEANS:
            part = model_output[f"sdpo_{name}"].values().sum() * dp_size / max(num_tokens, 1)
            metrics[PREFIX + name] = Metric(AggregationType.SUM, part)
        largest = model_output["sdpo_importance_ratio"].values().max()
        metrics[f"{PREFIX}importance_ratio_max"] = Metric(AggregationType.MAX, largest)
        return loss, metrics


@dataclass(frozen=True)
class _Chosen:
    """The tokens with a target; `num_tokens` of them in the order of the samples."""

    rows: torch.Tensor  # (num_tokens,), in the packed logits
    tokens: torch.Tensor  # (num_tokens,), in the packed responses
    samples: torch.Tensor  # (num_tokens,), in the micro-batch
    targets: list[int]  # of the samples that have one


def _select(data: TensorDict) -> _Chosen:
    sequence_ends = data["input_ids"].offsets()[1:].tolist()
    response_starts = data["responses"].offsets()[:-1].tolist()
    rows, tokens, samples, targets = [], [], [], []
    targets_of_samples, masks = data["target_index"].tolist(), data["target_mask"].unbind()
    places = zip(sequence_ends, response_starts, targets_of_samples, masks, strict=True)
    for sample, (end, start, target, mask) in enumerate(places):
        if target != NO_TARGET:
            counted = mask.nonzero().squeeze(-1)
            rows.append(predicting_rows(end, mask))
            tokens.append(start + counted)
            samples.append(torch.full_like(counted, sample))
            targets.append(target)
    empty = torch.zeros(0, dtype=torch.int64, device=data["responses"].device)
    return _Chosen(*(torch.cat([empty, *parts]) for parts in (rows, tokens, samples)), targets)


def _scatter(values: torch.Tensor, rows: torch.Tensor, num_rows: int) -> torch.Tensor:
    flat = values.new_zeros(num_rows)
    return flat.index_put((rows.to(values.device),), values).unsqueeze(0)
