# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A pass that runs out of memory says which pass it was, and which keys of the run make it smaller."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

_ROLLOUT, _ACTOR = "actor_rollout_ref.rollout", "actor_rollout_ref.actor"
# Keys of micro-batches as verl's worker reads them into its engine's configuration (`ActorRolloutRefWorker.init_model`,
# verl 0.9.1), by (whether the pass is forward only, whether micro-batches are filled up to a number of tokens).
_MICRO_BATCH = {
    (True, False): (f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu", "infer_micro_batch_size_per_gpu"),
    (True, True): (f"{_ROLLOUT}.log_prob_max_token_len_per_gpu", "infer_max_token_len_per_gpu"),
    (False, False): (f"{_ACTOR}.ppo_micro_batch_size_per_gpu", "micro_batch_size_per_gpu"),
    (False, True): (f"{_ACTOR}.ppo_max_token_len_per_gpu", "max_token_len_per_gpu"),
}
# What PyTorch's allocator of the CPU says, in a plain RuntimeError.
_CPU_ALLOCATOR = "DefaultCPUAllocator"


class OutOfMemoryError(RuntimeError):
    """A pass on a rank did not fit into its memory."""


@contextlib.contextmanager
def told_of_memory(
    what: str, engine_config: Any, *, forward_only: bool, max_reprompt_len: int | None = None
) -> Iterator[None]:
    """Within this context a lack of memory is an error that names the pass and the keys that make it smaller.

    Args:
        what: the pass, in words.
        engine_config: verl's, for its micro-batches.
        max_reprompt_len: the option, where the teacher's prompts are part of the pass.

    Raises:
        OutOfMemoryError: in place of the allocator's error, which is its cause.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_lack_of_memory(error):
            raise
        keys = list(_keys(engine_config, forward_only, max_reprompt_len))
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OutOfMemoryError(f"{what} ran out of memory: lower {' or '.join(keys)}. {first_line}") from error


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an allocator raised it: a device's, the CPU's, or Python's."""
    if isinstance(error, OutOfMemoryError):
        # Told of already, by the pass within this one.
        return False
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or _CPU_ALLOCATOR in str(error)


def _keys(engine_config: Any, forward_only: bool, max_reprompt_len: int | None) -> Iterator[str]:
    key, field = _MICRO_BATCH[forward_only, bool(engine_config.use_dynamic_bsz)]
    yield f"{key}={getattr(engine_config, field)}"
    if max_reprompt_len is not None:
        yield f"{_ACTOR}.self_distillation.max_reprompt_len={max_reprompt_len}"
    yield "data.max_response_length"
