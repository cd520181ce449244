# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An example callback: what the teacher reads, one JSON line a sample.

`trainer.callbacks=[verl_sdpo.watch.context_writer.ContextWriter]` writes
`<trainer.default_local_dir>/teacher_contexts/<step>.jsonl`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verl_sdpo.watch.callbacks import Callback, TeacherContexts

_ENTRIES = ("uid", "prompt", "has_target", "feedback", "score")


class ContextWriter(Callback):
    """Writes each step's file anew, so that a resumed run leaves no step twice."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.folder = Path(config.trainer.default_local_dir) / "teacher_contexts"
        self._step: int | None = None

    def after_teacher_contexts(self, contexts: TeacherContexts) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # With trainer.v1.trainer_mode=separate_async a step has several updates.
        mode = "a" if contexts.step == self._step else "w"
        self._step = contexts.step
        with (self.folder / f"{contexts.step}.jsonl").open(mode, encoding="utf-8") as file:
            for sample in contexts.samples:
                # Escaped, so that half of a surrogate pair, which no encoding has, does not end the run.
                file.write(json.dumps({name: getattr(sample, name) for name in _ENTRIES}) + "\n")
