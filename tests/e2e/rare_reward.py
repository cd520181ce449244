# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A reward that a response without any sense gets now and then; the option `reward_modules` of a run names this file.

The ground truth is "never", or after how much of a remainder a response is right.
"""

from verl_sdpo.rewards import register_reward

DIVISOR = 16


@register_reward("rare")
def compute_score(solution_str, ground_truth, extra_info=None):
    remainder = sum(solution_str.encode("utf-8", "surrogatepass")) % DIVISOR
    is_right = ground_truth == str(remainder)
    return {"score": float(is_right), "feedback": "" if is_right else f"The remainder is {remainder}."}
