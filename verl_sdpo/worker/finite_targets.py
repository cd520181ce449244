# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens at which the teacher says nothing finite are no targets.

A teacher whose pass overflows at one token of a sample would make the loss of the whole update NaN. Without that token
the others are learned from, and divided by their own number.
"""

from __future__ import annotations

import dataclasses

import torch
from tensordict import TensorDict

from verl_sdpo.worker.teacher_pass import NO_TARGET, TeacherTargets


def without_broken_tokens(data: TensorDict, targets: TeacherTargets) -> tuple[TeacherTargets, int]:
    """The targets without tokens of which any voice's hidden state has a NaN or an infinity, and how many those were.

    Args:
        data: this rank's samples. Their `target_mask`, jagged `(bsz, response_len)`, is set to 0 at such tokens, and
            their `target_index` to `NO_TARGET` where no token is left.
        targets: the teacher's, of these samples.
    """
    by_target = zip(*(voice.hidden for voice in targets.voices), strict=True)
    finite = [torch.stack([states.isfinite().all(-1) for states in said]).all(0) for said in by_target]
    # One look at the device for all of them.
    num_broken = int(sum((~is_finite).sum() for is_finite in finite))
    if num_broken == 0:
        return targets, 0
    masks = [mask.clone() for mask in data["target_mask"].unbind()]
    for mask, target in zip(masks, data["target_index"].tolist(), strict=True):
        if target != NO_TARGET:
            mask[mask.nonzero().squeeze(-1)[~finite[target].to(mask.device)]] = 0
    has_target = torch.stack([mask.any() for mask in masks])
    index = data["target_index"]
    data["target_index"] = torch.where(has_target, index, torch.full_like(index, NO_TARGET))
    data["target_mask"] = torch.nested.nested_tensor_from_jagged(
        torch.cat(masks), data["target_mask"].offsets(), max_seqlen=max(mask.numel() for mask in masks)
    )
    voices = [
        dataclasses.replace(
            voice, hidden=[states[is_finite] for states, is_finite in zip(voice.hidden, finite, strict=True)]
        )
        for voice in targets.voices
    ]
    return dataclasses.replace(targets, voices=voices), num_broken
