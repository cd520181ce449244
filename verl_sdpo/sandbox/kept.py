# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Results of earlier runs, for the same program and input again."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from verl_sdpo.sandbox.result import ExecutionResult

_MAX_KEPT_BYTES = 64 * 2**20


class Kept:
    """Results of what was run lately: the same program and input need not run again. Bounded by the bytes it holds."""

    def __init__(self) -> None:
        self._results: OrderedDict[bytes, list[ExecutionResult]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> list[ExecutionResult] | None:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: bytes, results: list[ExecutionResult]) -> None:
        with self._lock:
            if key in self._results:
                return
            self._results[key] = results
            self._bytes += _size(results)
            while self._bytes > _MAX_KEPT_BYTES:
                self._bytes -= _size(self._results.popitem(last=False)[1])


def _size(results: Sequence[ExecutionResult]) -> int:
    # A result without output is some objects too.
    return sum(len(result.stdout) + len(result.stderr) + len(result.result) + 500 for result in results)
