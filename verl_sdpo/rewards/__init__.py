# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards with feedback. ``compute_score`` is verl's custom reward function; see docs/data.md for the settings.

Importing this package pulls in neither torch nor verl.
"""

from verl_sdpo.rewards.outcome import OUTCOME_FIELDS
from verl_sdpo.rewards.reward_modules import load_reward_modules
from verl_sdpo.rewards.score import (
    answer_reader,
    check_machine,
    check_options,
    check_row,
    compute_score,
    compute_score_async,
    register_reward,
    registered_rewards,
)

__all__ = [
    "OUTCOME_FIELDS",
    "answer_reader",
    "check_machine",
    "check_options",
    "check_row",
    "compute_score",
    "compute_score_async",
    "load_reward_modules",
    "register_reward",
    "registered_rewards",
]
