# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How good the model is when it is shown what its teacher is shown: the self-teacher's accuracy, beside the student's.

After verl's validation each validation answer is reprompted as in training, and the rollout engine answers again, with
the student's weights as they are. It costs as much as the validation itself (`trainer.validate_self_teacher`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verl_sdpo.algorithm.reprompt import plan_reprompts
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.trainer.teacher_batch import RenderPrompt, fit_reprompt
from verl_sdpo.watch.verdicts import judged

# What stands for `val-core` in the names of verl's metrics.
PREFIX = "val-self-teacher"


class TeacherValidation:
    """To stand before a verl trainer among a class's bases; it needs what SDPO's part sets up."""

    # What verl's validation hands on, while it runs.
    _answers: list[dict[str, Any]] | None = None

    def _validate(self) -> dict[str, float]:
        if not self.config.trainer.validate_self_teacher:
            return super()._validate()
        batches, loader = list(self.val_dataloader), self.val_dataloader
        try:
            self.val_dataloader, self._answers = batches, []
            metrics = super()._validate()  # gives every row of the batches its uid
            answers, self._answers = self._answers, None
            self.val_dataloader = reprompted_batches(
                batches,
                answers,
                self.self_distillation.reprompt,
                self.config.actor_rollout_ref.rollout.prompt_length,
                self.prompt_renderer,
                self.tokenizer.all_special_tokens,
            )
            of_teacher = super()._validate()
        finally:
            self.val_dataloader, self._answers = loader, None
        return metrics | teacher_metrics(of_teacher)

    def _maybe_log_val_generations(self, inputs: list[str], outputs: list[str], scores: list[float]) -> None:
        if self._answers is not None:
            self._answers = [
                {"response": output, "score": score} for output, score in zip(outputs, scores, strict=True)
            ]
        super()._maybe_log_val_generations(inputs=inputs, outputs=outputs, scores=scores)

    def _val_metrics_update(
        self, data_sources: Any, sample_uids: Any, reward_extra_infos_dict: Any, *args: Any, **kwargs: Any
    ) -> dict[str, float]:
        if self._answers is not None:
            feedback = reward_extra_infos_dict.get("feedback") or [None] * len(sample_uids)
            for answer, uid, text in zip(self._answers, sample_uids, feedback, strict=True):
                answer |= {"uid": str(uid), "feedback": None if text is None else str(text)}
            for index, answer in enumerate(self._answers):
                info = {name: values[index] for name, values in reward_extra_infos_dict.items()}
                # Of an answer without a verdict nothing is to be shown: it is asked its plain question.
                answer["is_padding"] = bool(judged(answer["uid"], info).kinds)
        return super()._val_metrics_update(data_sources, sample_uids, reward_extra_infos_dict, *args, **kwargs)


def reprompted_batches(
    batches: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    config: RepromptConfig,
    max_len: int,
    render_prompt: RenderPrompt,
    special_tokens: Sequence[str],
) -> list[dict[str, Any]]:
    """The validation batches with one row for each answer, asking what the teacher of that answer is asked.

    Args:
        batches: verl's collated batches, columns of tensors or object arrays, with `uid` and `raw_prompt`.
        answers: mappings with `uid`, `response`, `score` and `feedback`; several may have the same uid.
        config: how the teacher's prompt is written.
        max_len: the longest prompt, in tokens, that the rollout takes whole.
        render_prompt, special_tokens: see `build_teacher_batch`.

    Returns:
        Batches for `PPOTrainer._validate`, each row to be answered once. An answer without anything to show, or whose
        teacher prompt cannot be made to fit, is asked its plain question again.
    """
    by_uid: dict[str, list[Mapping[str, Any]]] = {}
    for answer in answers:
        by_uid.setdefault(answer["uid"], []).append(answer)
    reprompted = []
    for batch in batches:
        places, rollouts = [], []
        for place, uid in enumerate(batch["uid"]):
            for answer in by_uid.get(str(uid), []):
                places.append(place)
                rollouts.append(dict(answer) | _row_fields(batch, place))
        plans = plan_reprompts(rollouts, config)
        prompts = np.empty(len(places), dtype=object)
        for row, (plan, rollout) in enumerate(zip(plans, rollouts, strict=True)):
            fitted = fit_reprompt(plan, rollout["extra_info"], max_len, config, render_prompt, special_tokens)
            prompts[row] = fitted.reprompt.render()
        rows = {name: column[places] for name, column in batch.items() if name != "uid"}
        once = np.array([1] * len(places), dtype=object)
        reprompted.append(rows | {"raw_prompt": prompts, "__rollout_n__": once})
    return [batch for batch in reprompted if len(batch["raw_prompt"])]


def _row_fields(batch: Mapping[str, Any], place: int) -> dict[str, Any]:
    def cell(name: str) -> Any:
        return batch[name][place] if name in batch else None

    context = cell("privileged_context")
    return {
        "prompt": list(cell("raw_prompt")),
        "privileged_context": None if context is None else str(context),
        "extra_info": cell("extra_info"),
    }


def teacher_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """verl's core validation metrics of the second validation, under a name of their own."""
    return {
        f"{PREFIX}/{name.removeprefix('val-core/')}": value
        for name, value in metrics.items()
        if name.startswith("val-core/")
    }
