# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What `verl_sdpo.watch.token_recorder` wrote down about a step, read back."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verl_sdpo.config.self_distillation import SelfDistillationConfig
from verl_sdpo.watch.token_recorder import FOLDER, FORMAT

# Where a run's checkpoints are, below what people call the run's folder.
_PLACES = (".", "checkpoints")
RECORDER = "trainer.callbacks=[verl_sdpo.watch.token_recorder.TokenRecorder]"


class TokensError(RuntimeError):
    """There is nothing to show; says what is missing and how to come by it."""


@dataclass(frozen=True)
class Sample:
    """One response of the step. Texts are untrusted: a model, or a program of a model's, wrote them."""

    uid: str
    score: float
    # What the environment said, whether the teacher was shown it or not.
    feedback: str | None
    # "demonstration", "feedback" and "privileged_context" as the teacher read them; None without a target.
    shown: dict[str, str | None] | None
    student_prompt: list[int]
    # None without a target.
    teacher_prompt: list[int] | None
    response: list[int]
    # For each token of the response whether the model wrote it.
    is_own: list[bool]

    @property
    def has_target(self) -> bool:
        return self.teacher_prompt is not None

    def counts(self, skip_first_tokens: int) -> list[bool]:
        """For each token whether the loss looks at it."""
        counted, num_own = [], 0
        for is_own in self.is_own:
            num_own += is_own
            counted.append(self.has_target and is_own and num_own > skip_first_tokens)
        return counted


@dataclass(frozen=True)
class StepRecord:
    """A step: what its numbers depend on besides weights, and its samples."""

    step: int
    experiment: str
    # Folder or hub id of the model that the run began with.
    model: str
    trust_remote_code: bool
    # In verl's names, such as "bf16".
    dtype: str
    temperature: float
    options: SelfDistillationConfig
    samples: list[Sample]


def checkpoints_of(run: Path) -> Path:
    """The folder below (or at) `run` in which records and checkpoints are.

    Raises:
        TokensError: nothing was recorded there.
    """
    if not run.is_dir():
        raise TokensError(f"{run} is no folder: give the folder of a run")
    for place in _PLACES:
        if (run / place / FOLDER).is_dir():
            return run / place
    raise TokensError(f"{run} has no {FOLDER}/, nor has its checkpoints/: train with {RECORDER}")


def read_record(checkpoints: Path, step: int) -> StepRecord:
    """The record of one step.

    Raises:
        TokensError: the step was not recorded, or its file is damaged.
    """
    path = checkpoints / FOLDER / f"{step}.jsonl.gz"
    if not path.exists():
        steps = sorted(int(name) for each in path.parent.glob("*.jsonl.gz") if (name := each.name[:-9]).isdecimal())
        listed = ", ".join(map(str, steps)) or "none"
        raise TokensError(
            f"step {step} was not recorded: recorded are {listed}. TokenRecorder keeps step 1 and each step that "
            "follows a checkpoint, verl_sdpo.watch.token_recorder.EveryStep all"
        )
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            header, *lines = (json.loads(line) for line in file)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise TokensError(f"{path} is damaged: {error}") from error
    if not isinstance(header, dict) or "format" not in header:
        raise TokensError(f"{path} is no record of a step: its first line has no format")
    if (found := header.pop("format")) != FORMAT:
        raise TokensError(f"{path} has format {found}, this version of verl_sdpo reads {FORMAT}")
    try:
        options = SelfDistillationConfig.from_flat(header.pop("self_distillation"))
        return StepRecord(**header, options=options, samples=[_sample(line) for line in lines])
    except (KeyError, TypeError, ValueError) as error:
        raise TokensError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def spread(samples: list[Sample], limit: int) -> list[Sample]:
    """At most `limit` of them, evenly from the whole step."""
    if len(samples) <= limit:
        return samples
    return [samples[place * len(samples) // limit] for place in range(limit)]


def _sample(line: dict[str, Any]) -> Sample:
    tokens = line["tokens"]
    return Sample(
        uid=line["uid"],
        score=line["score"],
        feedback=line["feedback"],
        shown=line["shown"],
        student_prompt=tokens["student_prompt"],
        teacher_prompt=tokens["teacher_prompt"],
        response=tokens["response"],
        is_own=[bool(flag) for flag in tokens["is_own"]],
    )
