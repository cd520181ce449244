# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One side of a comparison, in a process of its own of a given size: scores problems of trivial tests when told to.

`python scripts/reward_side.py REQUEST` with a JSON object: ``side`` (ours, published or feedback), ``bytes`` of
resident size, ``tests`` of a problem, ``problems`` of a round. The size is reached with anonymous memory that was
written to, and never less than what the side needs. It answers with its resident size, then each line of standard
input with the tests per second of a round. ``feedback`` answers with what is said of each of its programs, the one at
``first`` run first.

Ours scores as many samples at once as there are processors, each on one of the sandbox's slots, as verl's reward loop
does. The published design scores one sample after the other, and starts all tests of it at once.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BLOCK_BYTES = 2**20
# The number keeps results that were kept from answering.
ECHO = "number = int(input())\nprint(number + 1)  # {number}\n"
FAILING = {
    "set of texts": "print({str(i) + 'x' for i in range(60)})",
    "objects": "class A: pass\nprint(object(), A(), A().__init__, lambda: 0, iter([]))",
    "ids": "print(id([]), id('some text'), hash(object()))",
    "error with an object": "class A: pass\nraise ValueError(A(), {'x', 'y', 'z'})",
    "random": "import random\nprint(random.random(), random.sample(range(1000), 5))\nraise KeyError(random.random())",
    "threads": (
        "import threading\ndef f():\n    raise ValueError(threading.current_thread())\n"
        "threads = [threading.Thread(target=f) for _ in range(4)]\nfor each in threads:\n"
        "    each.start()\n    each.join()\nprint(threads, threading.get_ident())"
    ),
    "recursion": "def f(x):\n    return f(x + 1)\nf(0)",
    "time": "print('begun', flush=True)\nwhile True: pass",
    "memory": "x = []\nwhile True: x.append(bytearray(10 ** 6))",
    "places": "import os, sys\nprint(os.getcwd(), os.listdir('.'), sys.argv, sys.executable, sys.path)\nexit(3)",
}


def response_of(program: str) -> str:
    return f"```python\n{program}\n```\n"


def ground_truth(tests: list[tuple[str, str]], time_limit: float = 10.0) -> str:
    """Of tests of standard input and output."""
    return json.dumps(
        {
            "version": 1,
            "kind": "stdin",
            "tests": [{"input": given, "output": expected, "is_public": True} for given, expected in tests],
            "function": None,
            "setup": "",
            "time_limit": time_limit,
            "memory_limit": None,
            "checker": None,
        }
    )


def echo_tests(count: int) -> list[tuple[str, str]]:
    """Trivial tests, each with another input."""
    return [(f"{number}\n", f"{number + 1}\n") for number in range(count)]


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def fill(size: int) -> list[bytes]:
    """Memory to hold, so that this process has the size."""
    return [b"\x01" * BLOCK_BYTES for _ in range((size - resident_bytes()) // BLOCK_BYTES)]


def own_scorer(num_tests: int) -> Callable[[list[int]], None]:
    """Scores problems of these numbers with our reward."""
    from verl_sdpo.rewards.code_answer import compute_score

    truth = ground_truth(echo_tests(num_tests))
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))

    def score(number: int) -> None:
        outcome = compute_score(response_of(ECHO.format(number=number)), truth)
        assert outcome["score"] == 1.0, outcome

    return lambda numbers: list(pool.map(score, numbers))


def published_scorer(num_tests: int) -> Callable[[list[int]], None]:
    """Scores problems of these numbers with the published design."""
    from published_reward_model import passed_tests

    tests = echo_tests(num_tests)

    def score(numbers: list[int]) -> None:
        for number in numbers:
            assert all(passed_tests(ECHO.format(number=number), tests))

    return score


SCORERS = {"ours": own_scorer, "published": published_scorer}


def serve(side: str, size: int, num_tests: int, num_problems: int) -> None:
    score = SCORERS[side](num_tests)
    held = fill(size)
    fresh = itertools.count()
    score([next(fresh) for _ in range(num_problems)])  # starts what is started once
    print(json.dumps({"resident": resident_bytes(), "blocks": len(held)}), flush=True)
    for _ in sys.stdin:
        numbers = [next(fresh) for _ in range(num_problems)]
        begun = time.perf_counter()
        score(numbers)
        print(num_tests * num_problems / (time.perf_counter() - begun), flush=True)


def feedback_of_all(first: int) -> dict[str, str]:
    """What is said of each failing program; the one that is run first should not matter."""
    from verl_sdpo.rewards.code_answer import compute_score

    truth = ground_truth([("1 2\n", "3\n")], time_limit=1.0)
    names = list(FAILING)
    names = names[first:] + names[:first]
    return {name: compute_score(response_of(FAILING[name]), truth)["feedback"] for name in names}


def main() -> None:
    request = json.loads(sys.argv[1])
    if request["side"] == "feedback":
        print(json.dumps(feedback_of_all(request["first"])))
        return
    serve(request["side"], request["bytes"], request["tests"], request["problems"])


if __name__ == "__main__":
    main()
