# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "4 2 9\n", "expected": "9 2\nPair(first=4, second=2)\n"}
from __future__ import annotations

from typing import Any, Callable, Dict, Generic, List, NamedTuple, Optional, Protocol, Tuple, TypeVar, Union

T = TypeVar("T")


class Pair(NamedTuple):
    first: int
    second: int


class Comparable(Protocol):
    def __lt__(self, other: Any) -> bool: ...


class Box(Generic[T]):
    def __init__(self, items: List[T]) -> None:
        self.items: List[T] = items
        self.seen: Dict[str, Optional[T]] = {}

    def best(self, key: Callable[[T], Comparable]) -> Union[T, None]:
        return max(self.items, key=key, default=None)


box: Box[int] = Box(list(map(int, input().split())))
print(box.best(lambda x: x), box.best(lambda x: -x))
pair: Tuple[int, int] = Pair(*box.items[:2])
print(pair)
