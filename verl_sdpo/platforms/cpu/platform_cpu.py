# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The CPU as a verl platform, so that the whole stack runs on a laptop.

verl 0.9.1 ships CUDA, ROCm and NPU platforms and offers `PlatformBase` for others. This one answers verl's questions
with one logical device that Ray calls `GPU` (verl counts accelerators in Ray under `GPU` or `NPU` only).
"""

from __future__ import annotations

import contextlib
import os
import resource
import types
from typing import Any

import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry

from verl_sdpo.platforms.cpu.platform_selection import NAME, is_selected

# GiB of memory for vLLM's KV cache; VLLM_CPU_KVCACHE_SPACE in the environment overrides it.
DEFAULT_KV_CACHE_GIB = "1"


def _peak_memory(_device: Any = None) -> int:
    """Peak resident memory of this process, in bytes: what stands in for a GPU allocator's high-water mark."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory_info(_device: Any = None) -> tuple[int, int]:
    """(free, total) physical memory in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    return os.sysconf("SC_AVPHYS_PAGES") * page, os.sysconf("SC_PHYS_PAGES") * page


def _device_module() -> types.SimpleNamespace:
    """What verl calls on `torch.cuda`, for the CPU. A name verl asks for and we lack fails loudly."""

    def nothing(*_args: Any, **_kwargs: Any) -> None:
        return None

    return types.SimpleNamespace(
        is_available=lambda: True,
        current_device=lambda: NAME,
        device_count=lambda: 1,
        set_device=nothing,
        synchronize=nothing,
        empty_cache=nothing,
        ipc_collect=nothing,
        reset_peak_memory_stats=nothing,
        set_per_process_memory_fraction=nothing,
        memory_allocated=_peak_memory,
        memory_reserved=_peak_memory,
        max_memory_allocated=_peak_memory,
        max_memory_reserved=_peak_memory,
        mem_get_info=_memory_info,
        get_device_name=lambda _device=None: NAME,
        get_rng_state=torch.get_rng_state,
        set_rng_state=torch.set_rng_state,
        manual_seed=torch.manual_seed,
        manual_seed_all=torch.manual_seed,
    )


@PlatformRegistry.register(platform=NAME)
class PlatformCPU(PlatformBase):
    """One CPU process per logical device; gloo between them; weights reach vLLM through shared memory."""

    _module = _device_module()

    @property
    def device_name(self) -> str:
        return NAME

    @property
    def vendor_name(self) -> str:
        return NAME

    @property
    def device_module(self) -> Any:
        return self._module

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        # Never by detection: on a GPU cluster the processes without a GPU must keep the cluster's platform.
        return is_selected()

    def current_device(self) -> str:
        return NAME

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        return None

    def synchronize(self, device_index: int | None = None) -> None:
        return None

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        return None

    def empty_cache(self) -> None:
        return None

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextlib.contextmanager
    def nvtx_range(self, msg: str):
        yield

    def profiler_start(self) -> None:
        return None

    def profiler_stop(self) -> None:
        return None

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def rollout_env_vars(self) -> dict[str, str]:
        # vLLM would take half of the machine's memory for its cache and touch every page of it at start-up.
        return {"VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", DEFAULT_KV_CACHE_GIB)}

    def cudart(self) -> Any:
        return None
