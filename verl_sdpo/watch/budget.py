# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How much a run may spend: training time, or generations.

The time is the sum of verl's `timing_s/step`: sampling, update, checkpoint and the new weights' way to the rollout
engine, without initialisation and validation, as the paper counts its hours. Generations are the samples that were
trained on, without padding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: Any) -> float:
    """Seconds of "5h", "90m", "30s", "1h30m".

    Raises:
        ValueError: not written so, or nothing at all.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    parts = [float(part or 0) for part in match.groups()] if match else []
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1)))
    if seconds <= 0:
        raise ValueError(f'max_time={text!r} is no duration: write "5h", "90m", "30s" or "1h30m"')
    return seconds


@dataclass
class Budget:
    """What may be spent, None without a bound, and what has been."""

    max_seconds: float | None = None
    max_generations: int | None = None
    seconds: float = 0.0
    generations: int = 0
    # What one more step is expected to take: what the last one took.
    step_seconds: float = 0.0
    step_generations: int = 0

    @classmethod
    def parse(cls, max_time: str | None, max_generations: int | None, step_generations: int = 0) -> Budget:
        """From the configuration's values; `step_generations` is what a step is planned to make.

        Raises:
            ValueError: key, value and what to write.
        """
        is_count = isinstance(max_generations, int) and not isinstance(max_generations, bool) and max_generations >= 1
        if max_generations is not None and not is_count:
            raise ValueError(f"max_generations={max_generations!r} is no count: set a whole number of at least 1")
        max_seconds = None if max_time is None else parse_duration(max_time)
        return cls(max_seconds, max_generations, step_generations=step_generations)

    def spend(self, step_seconds: float, generations: int) -> None:
        """Count a step that has been made."""
        self.seconds += step_seconds
        self.generations += generations
        self.step_seconds, self.step_generations = step_seconds, generations

    def is_exhausted(self) -> bool:
        return self._reaches_bound(self.seconds, self.generations)

    def is_exhausted_after_next_step(self) -> bool:
        """Whether one more step, if it is like the last one, uses up the budget."""
        return self._reaches_bound(self.seconds + self.step_seconds, self.generations + self.step_generations)

    def state_dict(self) -> dict[str, Any]:
        """What was spent; the bounds are the configuration's, and may be raised for a resumed run."""
        names = ("seconds", "generations", "step_seconds", "step_generations")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in self.state_dict():
            setattr(self, name, state[name])

    def __str__(self) -> str:
        return f"{self.seconds / 3600:.2f} h of training and {self.generations} generations"

    def _reaches_bound(self, seconds: float, generations: int) -> bool:
        is_late = self.max_seconds is not None and seconds >= self.max_seconds
        return is_late or (self.max_generations is not None and generations >= self.max_generations)
