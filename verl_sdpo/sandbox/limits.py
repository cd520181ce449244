# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What one run may use."""

from dataclasses import dataclass, fields

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds of one run; each above 0."""

    # Seconds of processor time, all threads together: a busy machine does not make a program slow.
    cpu_seconds: float = 10.0
    # Seconds in which no thread of it runs or waits for a processor, e.g. asleep.
    idle_seconds: float = 5.0
    # Seconds after which it is ended whatever it did; only a machine without processors to spare gets here.
    wall_seconds: float = 120.0
    # MiB of address space beyond what the warm interpreter has.
    memory_mib: float = 1024.0
    # Bytes of standard output, and of the result.
    output_bytes: int = 2**20
    # Bytes of standard error.
    error_bytes: int = 2**16
    # Bytes of each file in the temporary directory, which is empty at the start and gone at the end.
    file_bytes: int = 16 * MIB
    # Files in it.
    num_files: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ValueError(f"limit {field.name} {value!r} must be a number above 0")
