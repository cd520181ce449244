# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`algorithm.high_entropy_fraction` in a verl trainer: the other tokens' advantages become 0."""

from __future__ import annotations

from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

from verl_sdpo.algorithm.high_entropy import high_entropy_advantages


class HighEntropyTokens:
    """To stand before a verl trainer among a class's bases, for verl's own losses."""

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        batch = super()._compute_advantage(batch, metrics)
        return keep_high_entropy(batch, self.config.algorithm.high_entropy_fraction)


def keep_high_entropy(batch: KVBatchMeta, fraction: float) -> KVBatchMeta:
    """Replace the batch's stored advantages. verl has stored the entropies with its old log-probabilities.

    Padding counts neither as a token that is kept nor as one that is not.
    """
    names = ["advantages", "entropy", "response_mask"]
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=names)
    lengths = data["advantages"].offsets().diff()
    advantages, entropy, mask = (data[name].to_padded_tensor(0) for name in names)
    is_padding = torch.tensor([bool(tag.get("is_padding", False)) for tag in batch.tags])
    kept = high_entropy_advantages(advantages, entropy, mask * ~is_padding[:, None], fraction)
    rows = [row[:length] for row, length in zip(kept, lengths, strict=True)]
    fields = TensorDict({"advantages": torch.nested.as_nested_tensor(rows, layout=torch.jagged)}, batch_size=len(rows))
    return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)
