# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a TransferQueue batch holds for SDPO, read into plain data and written back: the one file that knows its fields.

TransferQueue returns tensors as jagged nested tensors, one row a sample, and other values in containers of several
kinds, depending on its storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

# `extra_fields` carries what the reward function returned besides the score; the last two are columns of the dataset.
_FIELDS = [
    "uid",
    "raw_prompt",
    "prompts",
    "responses",
    "loss_mask",
    "rm_scores",
    "extra_fields",
    "privileged_context",
    "extra_info",
]
# Rows of samples without a target, which nobody reads: TransferQueue's rows must not be empty.
_NO_TEACHER_INPUT = [0]


def read_rollouts(batch: KVBatchMeta, tokenizer: Any) -> tuple[list[dict[str, Any]], list[list[int]], list[list[int]]]:
    """The batch's rollouts as `build_teacher_messages` takes them, their prompt ids and their response ids."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=_FIELDS)
    prompt_ids = [row.tolist() for row in data["prompts"].unbind()]
    response_ids = [row.tolist() for row in data["responses"].unbind()]
    num_samples = len(batch)
    columns = {
        name: _plain(data[name]) if name in data.keys() else [None] * num_samples  # noqa: SIM118
        for name in ("uid", "raw_prompt", "extra_fields", "privileged_context", "extra_info")
    }
    scores = [float(row.sum()) for row in data["rm_scores"].unbind()]
    # The agent loop's mask of the model's own tokens. `response_mask` may have lost tokens to rejection sampling.
    masks = [row.tolist() for row in data["loss_mask"].unbind()]
    rollouts = []
    for index in range(num_samples):
        reward_info = (columns["extra_fields"][index] or {}).get("reward_extra_info") or {}
        feedback = reward_info.get("feedback")
        context = columns["privileged_context"][index]
        # The model's own words only: tool results stand between them with a mask of 0.
        written = [token for token, is_own in zip(response_ids[index], masks[index], strict=True) if is_own]
        rollouts.append(
            {
                "uid": str(columns["uid"][index]),
                "prompt": list(columns["raw_prompt"][index]),
                "response": tokenizer.decode(written, skip_special_tokens=True),
                "score": scores[index],
                "feedback": None if feedback is None else str(feedback),
                "privileged_context": None if context is None else str(context),
                "extra_info": columns["extra_info"][index],
                "is_padding": bool(batch.tags[index].get("is_padding", False)),
            }
        )
    return rollouts, prompt_ids, response_ids


def write_teacher_inputs(batch: KVBatchMeta, input_ids: Sequence[list[int] | None]) -> KVBatchMeta:
    """Store `teacher_input_ids`, jagged `(bsz, *)`, and `self_distillation_mask` `(bsz,)`, with the batch's samples.

    Returns the batch that knows of them: workers are handed the fields that it names.
    """
    rows = [torch.tensor(_NO_TEACHER_INPUT if ids is None else ids, dtype=torch.int64) for ids in input_ids]
    fields = TensorDict(
        {
            "teacher_input_ids": torch.nested.as_nested_tensor(rows, layout=torch.jagged),
            "self_distillation_mask": torch.tensor([float(ids is not None) for ids in input_ids]),
        },
        batch_size=len(batch),
    )
    return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)


def _plain(values: Any) -> list[Any]:
    items = values.tolist() if hasattr(values, "tolist") else list(values)
    return [getattr(item, "data", item) if type(item).__name__ == "NonTensorData" else item for item in items]
