# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Samples without a target are left out of the student's update: they would be multiplied by zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu


def rows_to_run(has_target: Sequence[bool], lengths: Sequence[int], num_rows: int) -> list[int]:
    """All rows with a target, filled up to `num_rows` with the shortest of the others, in their order.

    Args:
        lengths: tokens of each row.
        num_rows: at least the number of rows with a target, at most that of all.
    """
    idle = sorted((row for row, is_target in enumerate(has_target) if not is_target), key=lambda row: lengths[row])
    num_fillers = num_rows - sum(has_target)
    return sorted([row for row, is_target in enumerate(has_target) if is_target] + idle[:num_fillers])


def without_idle_samples(data: TensorDict, engine: Any, engine_config: Any) -> TensorDict:
    """This rank's mini-batch with as few samples without a target as micro-batches and the other ranks allow.

    Ranks run equal numbers of micro-batches of equal size, since each gathers weights from all, so all of them keep as
    many samples as the one with the most targets. A collective call.

    Args:
        data: with `target_mask` and verl's settings of micro-batches, if they are not those of `engine_config`.
    """
    has_target = [bool(row.any()) for row in data["target_mask"].unbind()]
    setting = lambda key: tu.get_non_tensor_data(data, key, getattr(engine_config, key))  # noqa: E731
    unit = 1 if setting("use_dynamic_bsz") else setting("micro_batch_size_per_gpu")
    wanted = torch.tensor([max(math.ceil(sum(has_target) / unit), 1) * unit], device=data["target_mask"].device)
    torch.distributed.all_reduce(wanted, op=torch.distributed.ReduceOp.MAX, group=engine.get_data_parallel_group())
    num_rows = int(wanted.item())
    if num_rows >= len(has_target):
        return data
    lengths = data["input_ids"].offsets().diff().tolist()
    rows = rows_to_run(has_target, lengths, num_rows)
    chosen = tu.index_select_tensor_dict(data, rows)
    # What verl estimates its throughput with: the tokens that are run, over all ranks about as many on each.
    num_tokens = [lengths[row] for row in rows] * engine.get_data_parallel_size()
    tu.assign_non_tensor_data(chosen, "global_token_num", num_tokens)
    return chosen
