# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Peak memory of this process, for the benchmarks: on a GPU of what torch allocates, on a CPU of the resident size."""

from pathlib import Path

import torch


def reset_peak(device: str) -> int:
    """Sets the peak to what is in use now, and returns that; bytes."""
    if device == "cpu":
        # Linux: sets the process's peak resident size to its present one.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status_bytes("VmRSS:")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def peak_bytes(device: str) -> int:
    """Since the last reset."""
    if device == "cpu":
        return _status_bytes("VmHWM:")
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def _status_bytes(field: str) -> int:
    return int(Path("/proc/self/status").read_text(encoding="ascii").partition(field)[2].split()[0]) * 1024
