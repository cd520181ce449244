# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A callback that keeps what `python -m verl_sdpo.reports.tokens` shows: token ids, and what the teacher was shown.

`trainer.callbacks=[verl_sdpo.watch.token_recorder.TokenRecorder]` writes
`<trainer.default_local_dir>/token_records/<step>.jsonl.gz`: what the step was computed with, then a line a sample.
Distributions are not kept, they are made again from the weights that a checkpoint has.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verl_sdpo.watch.callbacks import Callback, TeacherContexts

FOLDER = "token_records"
FORMAT = 1


class TokenRecorder(Callback):
    """Keeps the steps whose weights are kept: the first one, and each that begins with a checkpoint.

    A step's file is whole or not there, and a resumed run writes it anew.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.run_folder = Path(config.trainer.default_local_dir)
        self._step: int | None = None
        self._lines: list[str] = []

    def is_kept(self, step: int) -> bool:
        """Whether a step is written down."""
        return step == 1 or (self.run_folder / f"global_step_{step - 1}").is_dir()

    def after_teacher_contexts(self, contexts: TeacherContexts) -> None:
        if not self.is_kept(contexts.step):
            return
        # With trainer.v1.trainer_mode=separate_async a step has several updates.
        if contexts.step != self._step:
            self._step, self._lines = contexts.step, [_line(computed_with(self.config, contexts.step))]
        self._lines += [_line(dataclasses.asdict(sample)) for sample in contexts.samples]
        folder = self.run_folder / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{contexts.step}.partial"
        # The lowest level: ids are a fifth of their text at any, and the step waits.
        with gzip.open(partial, "wt", compresslevel=1, encoding="ascii") as file:
            file.writelines(self._lines)
        os.replace(partial, folder / f"{contexts.step}.jsonl.gz")


class EveryStep(TokenRecorder):
    """Keeps every step, also those whose weights only a neighbour's can stand in for."""

    def is_kept(self, step: int) -> bool:
        return True


def computed_with(config: Any, step: int) -> dict[str, Any]:
    """What the numbers of a step depend on besides weights and tokens."""
    actor, model = config.actor_rollout_ref.actor, config.actor_rollout_ref.model
    return {
        "format": FORMAT,
        "step": step,
        "experiment": config.trainer.experiment_name,
        "model": model.path,
        "trust_remote_code": bool(model.get("trust_remote_code", False)),
        # verl's default of a run without the entry.
        "dtype": (actor.fsdp_config.get("mixed_precision") or {}).get("param_dtype", "bf16"),
        "temperature": float(config.actor_rollout_ref.rollout.temperature),
        "self_distillation": _plain(actor.self_distillation),
    }


def _line(entries: Mapping[str, Any]) -> str:
    # Escaped: half of a surrogate pair, which no encoding has, stays what it is.
    return json.dumps(entries) + "\n"


def _plain(value: Any) -> Any:
    """Dictionaries and lists in place of a configuration's own."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
