# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The score of rows that need no reward: training on the dataset's demonstrations alone (docs/sdft.md).

verl asks for a score of every sample. This one is 0 and says nothing, so that no response counts as a success and no
feedback reaches the teacher.
"""

from collections.abc import Mapping
from typing import Any


def compute_score(
    solution_str: str, ground_truth: str | None, extra_info: Mapping[str, Any] | None = None
) -> dict[str, float | str]:
    """Score 0 and no feedback, whatever the response; `ground_truth` may be empty or null."""
    return {"score": 0.0, "acc": 0.0, "feedback": ""}
