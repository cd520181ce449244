# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The reward of the CPU demonstration; the runs name this file in `reward_modules`."""

from recipe.test_time import code_task
from verl_sdpo.rewards import register_reward


@register_reward(code_task.DATA_SOURCE)
def compute_score(solution_str, ground_truth, extra_info=None):
    """1.0 for the code and 0.0 for anything else, which says nothing about how near it was; feedback as text."""
    attempt = " ".join(solution_str.split())
    is_right = attempt == ground_truth
    return {
        "score": float(is_right),
        "acc": float(is_right),
        "feedback": code_task.feedback_on(attempt, ground_truth),
    }
