# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What runs over a chunk's logits, in three ways: plain torch operations, compiled ones, and Triton kernels.

"torch" works on blocks of rows in place, which suits a CPU's caches. The other two are made of the same four passes:
`linear_passes` through torch.compile, or `linear_triton`.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from . import linear_passes
from .divergence import LOG_PROB_FLOOR, compute_dtype
from .linear_chunk import Reduced, gradient_in_place, reduce_in_place, reduced
from .linear_full import distill_in_place
from .linear_passes import FullChunk
from .token_loss import TokenDistillation

KERNELS = ("torch", "compiled", "triton")
# Of torch.compile.
_BACKEND = "inductor"


class Kernels(NamedTuple):
    """What is done with a chunk's logits, `(num_rows, vocab)`, contiguous, floating and finite; they do not outlive it.

    Gradients are with respect to the student's logits, written to `out`: `(num_rows, vocab)` in the head's dtype, the
    memory of these logits where that is theirs too, else other memory.
    """

    reduce: Callable[..., Reduced]
    """(logits, ids, token_ids, *, needs_gradient=False), see `reduce_in_place`."""
    gradient: Callable[[torch.Tensor, Reduced, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    """(logits, reduced, ids, support_gradient, others_gradient, out) to `out`.

    `logits` are as `reduce` left them with `needs_gradient`, `reduced` what it returned; the gradients are with
    respect to `Reduced.support` and `Reduced.log_others`."""
    distill_full: Callable[..., tuple[TokenDistillation, Any]]
    """(student_logits, teacher_logits, token_ids, alpha, advantage_clip), see `distill_in_place`, to what it returns
    and a state."""
    full_gradient: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
    """(state, upstream, out) to `out`: the gradient of each row's loss times its element of `upstream`."""


class _Passes(NamedTuple):
    """Functions of `linear_passes` or `linear_triton`."""

    statistics: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    others_gradient: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], None]
    full_sums: Callable[[FullChunk], torch.Tensor]
    full_gradient: Callable[[FullChunk, torch.Tensor, torch.Tensor, torch.Tensor], None]


def check_kernels(name: str | None) -> None:
    """Raise ValueError unless it is one of `KERNELS` or None."""
    if name is not None and name not in KERNELS:
        raise ValueError(f"kernels={name!r} is unknown: use one of {list(KERNELS)}, or None for what suits the device")


def kernels_for(name: str | None, device: torch.device) -> Kernels:
    """The kernels of that name; None: "compiled" on CUDA where Triton is installed, which that needs, else "torch".

    Raises:
        ValueError: an unknown name, or what this device or installation cannot run.
    """
    check_kernels(name)
    is_cuda = device.type == "cuda"
    if name is None:
        name = "compiled" if is_cuda and _has_triton() else "torch"
    if name == "torch":
        return Kernels(reduce_in_place, _torch_gradient, _torch_distill_full, _torch_full_gradient)
    if (name == "triton" or is_cuda) and not _has_triton():
        raise ValueError(f"kernels={name!r} on {device.type} needs Triton: install triton, or use kernels='torch'")
    passes = _compiled_passes(_BACKEND) if name == "compiled" else _triton_passes(device)
    return Kernels(*(partial(function, passes) for function in (_reduce, _gradient, _distill_full, _full_gradient)))


@functools.cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def _triton_passes(device: torch.device) -> _Passes:
    from . import linear_triton

    if device.type != "cuda" and not linear_triton.IS_INTERPRETED:
        raise ValueError(
            f"kernels='triton' on {device.type} needs Triton's interpreter: set TRITON_INTERPRET=1 in the environment "
            "before the process starts, or use kernels='torch'"
        )
    return _Passes(*(getattr(linear_triton, name) for name in _Passes._fields))


@functools.cache
def _compiled_passes(backend: str) -> _Passes:
    return _Passes(*(_compiled(getattr(linear_passes, name), backend) for name in _Passes._fields))


def _compiled(function: Callable, backend: str) -> Callable:
    compiled = torch.compile(function, fullgraph=True, backend=backend)

    def call(*arguments: Any) -> Any:
        # The last chunk has fewer rows: told so, the compiler makes one program for all numbers of rows but one.
        for argument in arguments:
            for each in argument if isinstance(argument, tuple) else (argument,):
                if isinstance(each, torch.Tensor):
                    torch._dynamo.maybe_mark_dynamic(each, 0)
        return compiled(*arguments)

    return call


# In plain torch operations.


def _torch_gradient(logits, of_student: Reduced, ids, support_gradient, others_gradient, out):
    return _moved(gradient_in_place(logits, ids, support_gradient, others_gradient), out)


def _torch_distill_full(student_logits, teacher_logits, token_ids, alpha, advantage_clip):
    tokens = distill_in_place(student_logits, teacher_logits, token_ids, alpha, advantage_clip)
    return tokens, student_logits


def _torch_full_gradient(gradient, upstream, out):
    return _moved(gradient.mul_(upstream[:, None]), out)


def _moved(gradient: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    return gradient if gradient.dtype == out.dtype else out.copy_(gradient)


# In passes.


def _reduce(passes: _Passes, logits, ids, token_ids, *, needs_gradient: bool = False) -> Reduced:
    logits = logits.to(compute_dtype(logits))
    support, token_logits = logits.gather(-1, ids), logits.gather(-1, token_ids[:, None]).squeeze(-1)
    # What is left is all that `_gradient` needs, wanted or not.
    logits.scatter_(-1, ids, torch.finfo(logits.dtype).min)
    return reduced(support, token_logits, *passes.statistics(logits), ids)


def _gradient(passes: _Passes, logits, of_student: Reduced, ids, support_gradient, others_gradient, out):
    passes.others_gradient(logits, of_student.log_others.detach(), others_gradient, out)
    # An id that stands twice has its gradient once, and a zero.
    return out.scatter_add_(-1, ids, support_gradient.to(out.dtype))


def _distill_full(passes: _Passes, student_logits, teacher_logits, token_ids, alpha, advantage_clip):
    logits = (student_logits, teacher_logits.to(student_logits.dtype))
    log_sums = [passes.statistics(each)[0] for each in logits]
    chunk = FullChunk(logits[0], log_sums[0], logits[1], log_sums[1], alpha, advantage_clip)
    one, two, student_entropy, teacher_entropy = passes.full_sums(chunk).unbind()
    if alpha == 0.0:
        loss, divergence, row_sum = one, one, two
    elif alpha == 1.0:
        loss, divergence, row_sum = two, one, two
    else:
        loss = divergence = (alpha * two - (1.0 - alpha) * one).clamp(min=0.0)
        row_sum = one
    log_probs, teacher_log_probs = (
        (each.gather(-1, token_ids[:, None]).squeeze(-1) - log_sum).clamp(min=LOG_PROB_FLOOR)
        for each, log_sum in zip(logits, log_sums, strict=True)
    )
    ones = torch.ones_like(loss)
    tokens = TokenDistillation(
        loss, divergence, log_probs, teacher_log_probs, student_entropy, teacher_entropy, ones, ones
    )
    return tokens, (chunk, row_sum)


def _full_gradient(passes: _Passes, state: tuple[FullChunk, torch.Tensor], upstream, out):
    passes.full_gradient(*state, upstream, out)
    return out
