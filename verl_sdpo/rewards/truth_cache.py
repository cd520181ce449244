# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Ground truths that were read, kept for the next response to the same question."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class TruthCache:
    """The values of the last texts, found by the texts' hashes. Safe for threads.

    Args:
        max_chars: characters of all kept texts together; the ones that were not asked for longest go.
        max_entries: kept texts.
    """

    def __init__(self, max_chars: int, max_entries: int) -> None:
        self._max_chars, self._max_entries = max_chars, max_entries
        self._values: OrderedDict[bytes, tuple[int, Any]] = OrderedDict()
        self._num_chars = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, text: str, read: Callable[[str], Any]) -> Any:
        """What ``read`` makes of ``text``; what it raises is raised, and nothing is kept."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][1]
        # Outside the lock: reading a large text takes seconds. Two threads may then read the same one.
        value = read(text)
        with self._lock:
            if key not in self._values:
                self._values[key] = (len(text), value)
                self._num_chars += len(text)
            while self._num_chars > self._max_chars or len(self._values) > self._max_entries:
                _, (num_chars, _) = self._values.popitem(last=False)
                self._num_chars -= num_chars
        return value
