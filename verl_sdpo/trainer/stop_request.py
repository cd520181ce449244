# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run that is asked to stop ends after the step that it is in, saved, and without an error.

Signals reach the process that the user started, and the trainer runs in an actor of Ray's, perhaps on another machine.
The question goes through the key-value store of Ray's cluster, under the job's number. `ray.experimental.internal_kv`
is not of Ray's public interface; tests/test_verl_seams.py looks whether it is as it was.
"""

from __future__ import annotations

import ray
from ray.experimental import internal_kv

from verl_sdpo.trainer.run_end import RunEnd


def ask_to_stop(why: str) -> None:
    """Ask this job's trainer to stop; from any process of the job."""
    internal_kv._internal_kv_put(_key(), why)


def asked_to_stop() -> str | None:
    """Why this job's trainer is asked to stop; None while it is not, or where there is no Ray."""
    if not ray.is_initialized():
        return None
    why = internal_kv._internal_kv_get(_key())
    return None if why is None else why.decode()


def _key() -> str:
    return f"verl_sdpo/stop/{ray.get_runtime_context().get_job_id()}"


class StopRequests(RunEnd):
    """To stand before `Watching` among a trainer's bases; for every loss."""

    def on_train_begin(self) -> None:
        super().on_train_begin()
        if (why := asked_to_stop()) is not None:
            self.end_run(f"{why}: no step is made")
            self.total_training_steps = self.global_steps - 1

    def _look_for_end(self) -> None:
        super()._look_for_end()
        if (why := asked_to_stop()) is not None:
            self.end_run(f"{why}: the run ends after this step")

    def _validate(self) -> dict[str, float]:
        # A run that has been asked to stop has little time.
        return {} if isinstance(self._end, str) else super()._validate()
