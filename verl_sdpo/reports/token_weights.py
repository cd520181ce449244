# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which weights a step was computed with, as far as they are still there: loaded, and named in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.store import CheckpointStore, Entry, choose_given
from verl_sdpo.checkpoint.weights import teacher_state, whole_weights
from verl_sdpo.reports.token_gaps import Speaker
from verl_sdpo.reports.token_records import StepRecord, TokensError

_DTYPES = {
    name: dtype
    for dtype, names in {
        torch.float32: ("fp32", "float32", "float", "32"),
        torch.bfloat16: ("bf16", "bfloat16", "bfloat", "bf16-mixed"),
        torch.float16: ("fp16", "float16", "half", "16"),
    }.items()
    for name in names
}


@dataclass(frozen=True)
class Models:
    """Student and teacher of a step."""

    student: Speaker
    # Each of the teacher's models with its share of the teacher's logits.
    teacher: list[tuple[float, Speaker]]
    tokenizer: Any
    # For the reader: whose weights these are. One sentence each.
    words: list[str]


def checkpoint_before(checkpoints: Path, step: int) -> tuple[Path | None, list[str]]:
    """The newest whole checkpoint of an earlier step, None where there is none; and what is wrong with newer ones."""
    kept = [*CheckpointStore(checkpoints).entries(), *CheckpointStore(checkpoints / "best").entries()]
    notes = []
    for entry in sorted(kept, key=lambda entry: entry.step, reverse=True):
        if entry.step < step:
            try:
                return choose_given(entry.folder).folder, notes
            except CheckpointError as error:
                notes.append(_passed_over(entry, error))
    return None, notes


def load_models(record: StepRecord, checkpoints: Path, device: str) -> Models:
    """The models that the step began with, or the nearest earlier ones.

    Raises:
        TokensError: the weights are of a kind that is not shown yet.
        CheckpointError: they cannot be read.
    """
    if str(record.dtype) not in _DTYPES:
        raise TokensError(f"the run computed in {record.dtype!r}, which is not known: known are {', '.join(_DTYPES)}")
    folder, notes = checkpoint_before(checkpoints, record.step)
    loader = _Loader(record, folder, device)
    teacher, teacher_words = loader.teacher()
    words = [_student_words(record, folder), teacher_words, *notes]
    return Models(loader.student(), teacher, loader.tokenizer(), words)


class _Loader:
    def __init__(self, record: StepRecord, folder: Path | None, device: str) -> None:
        self.record = record
        self.actor = None if folder is None else folder / "actor"
        self.device = device
        self.dtype = _DTYPES[str(record.dtype)]
        self._student: Speaker | None = None

    def student(self) -> Speaker:
        if self._student is None:
            self._student = self._of_hub(self.record.model) if self.actor is None else self._of_checkpoint()
        return self._student

    def teacher(self) -> tuple[list[tuple[float, Speaker]], str]:
        options = self.record.options
        kind = options.teacher_regularization
        if kind == "external":
            path = options.external_teacher_path
            return [(1.0, self._of_hub(path))], f"The teacher is the external model {path}."
        if kind == "live":
            return [(1.0, self.student())], "The teacher has the student's weights."
        if self.actor is None:
            # Every other kind begins as the student does; of two voices that are equal one is enough.
            return [(1.0, self.student())], f"The teacher ({kind}) has the same weights: it began as the student."
        saved = teacher_state(self.actor)["kind"]
        if saved != kind:
            raise TokensError(f"{self.actor} has a teacher of kind {saved}, the step had {kind}: it is another run's")
        of_checkpoint = self._of_checkpoint(teacher=True)
        if kind == "trust_region":
            mix = options.trust_region_mix
            words = f"The teacher is the mean of reference and student in log-probabilities, the student's share {mix}."
            return [(1.0 - mix, of_checkpoint), (mix, self.student())], words
        return [(1.0, of_checkpoint)], f"The teacher ({kind}) is from the same checkpoint."

    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        path = self.record.model if self.actor is None else self.actor / "huggingface"
        return AutoTokenizer.from_pretrained(path, trust_remote_code=self.record.trust_remote_code)

    def _of_hub(self, path: str) -> Speaker:
        from transformers import AutoModelForCausalLM

        code = self.record.trust_remote_code
        return self._ready(AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, trust_remote_code=code))

    def _of_checkpoint(self, teacher: bool = False) -> Speaker:
        from transformers import AutoConfig, AutoModelForCausalLM

        weights = whole_weights(self.actor, teacher)
        if any(".lora_" in name for name in weights):
            raise TokensError(f"{self.actor} has a LoRA adapter, which this page cannot show yet: use a run without")
        code = self.record.trust_remote_code
        config = AutoConfig.from_pretrained(self.actor / "huggingface", trust_remote_code=code)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=code)
        model.load_state_dict(weights)
        return self._ready(model)

    def _ready(self, model: Any) -> Speaker:
        # As FSDP2's mixed precision: parameters, not buffers such as those of the positions.
        for parameter in model.parameters():
            parameter.data = parameter.data.to(self.dtype)
        return Speaker(model.to(self.device).eval().requires_grad_(False), self.dtype)


def _student_words(record: StepRecord, folder: Path | None) -> str:
    at = 0 if folder is None else int(folder.name.removeprefix("global_step_"))
    name = f"the base model {record.model}" if folder is None else f"{folder.name}"
    away = record.step - 1 - at
    if away == 0:
        return f"The student has the weights that step {record.step} began with: {name}."
    steps = "1 step" if away == 1 else f"{away} steps"
    return (
        f"The student has weights {steps} older than those that step {record.step} began with: {name}. The numbers are "
        "those of these weights, not those of the step."
    )


def _passed_over(entry: Entry, error: CheckpointError) -> str:
    return f"{entry.folder.name} could not be used: {' '.join(str(error).split())}"
