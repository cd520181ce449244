# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the code reward costs: a test, a problem, and tests per second beside the published reward's process model."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reward_row import GIB, Row, Scale, median_ratio, percentile
from reward_side import echo_tests, ground_truth, response_of

SIDE = Path(__file__).with_name("reward_side.py")
BARE = [sys.executable, "-I", "-S", "-c", "pass"]
TRIVIAL = "pass  # {number}\n"
SPIN_SECONDS = 0.02
# Counts its own processor time, from its first line on, so what it uses is known without asking.
SPIN = (
    "import time\nbegun = time.process_time()\nnumber = int(input())\n"
    f"while time.process_time() - begun < {SPIN_SECONDS}:\n    pass\nprint(number + 1)  # {{number}}\n"
)
SPARE_BYTES = 8 * GIB
LESS_BYTES = int(3e9)


def test_cost_rows(scale: Scale) -> list[Row]:
    """Rows of the cost of a test that does nothing: finding the code, a confined process, the verdict."""
    own, bare = test_seconds(scale.test_pairs)
    middle, slow = statistics.median(own) / statistics.median(bare), percentile(own, 0.99) / statistics.median(bare)
    told = f"{1e3 * statistics.median(own):.2f} ms of {1e3 * statistics.median(bare):.2f} ms"
    what = "a trivial test of the reward, of `python -I -S -c pass`"
    figures = {"own": own, "bare": bare, "median_ratio": middle, "p99_ratio": slow}
    return [
        Row("test-cost", f"{what}: medians", "<= 0.8", f"{middle:.2f} ({told})", middle <= 0.8, figures),
        Row("test-cost", f"{what}: p99 of its median", "<= 3", f"{slow:.2f}", slow <= 3, {}),
    ]


def test_seconds(count: int) -> tuple[list[float], list[float]]:
    """Of a test and of the bare interpreter, in turns."""
    from verl_sdpo.rewards.code_answer import compute_score

    truth = ground_truth([("", "")])
    own, bare = [], []
    for number in range(count + 3):
        begun = time.perf_counter()
        outcome = compute_score(response_of(TRIVIAL.format(number=number) + "print()"), truth)
        between = time.perf_counter()
        subprocess.run(BARE, check=True, stdin=subprocess.DEVNULL)
        own.append(between - begun)
        bare.append(time.perf_counter() - between)
        assert outcome["score"] == 1.0, outcome
    # The first ones start what is started once.
    return own[3:], bare[3:]


def published_rows(scale: Scale) -> list[Row]:
    """Rows of tests per second: beside the published design, and in a small and in a large process."""
    sides = {"published": ("published", scale.parent_bytes), "ours": ("ours", scale.parent_bytes)}
    found = rates(sides, scale)
    ratio = median_ratio(found["ours"]["rates"], found["published"]["rates"])
    what = f"tests per second, of the published design's, in processes of {shown_size(found['ours'])}"
    told = f"{statistics.median(found['ours']['rates']):.0f} of {statistics.median(found['published']['rates']):.1f}"
    beside = Row("published", what, ">= 10", f"{ratio:.1f} ({told})", ratio >= 10, found | {"ratio": ratio})
    return [beside, parent_size_row(scale)]


def parent_size_row(scale: Scale) -> Row:
    large = scale.large_bytes if available_bytes() >= SPARE_BYTES else min(scale.large_bytes, LESS_BYTES)
    found = rates({"small": ("ours", scale.small_bytes), "large": ("ours", large)}, scale)
    slower = median_ratio(found["small"]["rates"], found["large"]["rates"])
    what = f"slow-down of ours from a process of {shown_size(found['small'])} to one of {shown_size(found['large'])}"
    told = " and ".join(f"{statistics.median(found[name]['rates']):.0f}" for name in ("small", "large"))
    reached = f"{slower:.2f} ({told} tests per second)"
    return Row("published", what, "<= 1.2", reached, slower <= 1.2, found | {"ratio": slower})


def rates(sides: dict[str, tuple[str, int]], scale: Scale) -> dict[str, Any]:
    """Tests per second of each round and resident bytes, by side; rounds of the sides take turns."""
    found: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        processes = {name: stack.enter_context(side_process(*side, scale)) for name, side in sides.items()}
        for name, process in processes.items():
            found[name] = json.loads(process.stdout.readline()) | {"rates": []}
        for _ in range(scale.rounds):
            for name, process in processes.items():
                process.stdin.write("\n")
                process.stdin.flush()
                found[name]["rates"].append(float(process.stdout.readline()))
    return found


@contextlib.contextmanager
def side_process(side: str, size: int, scale: Scale) -> Iterator[subprocess.Popen]:
    problems = scale.published_problems if side == "published" else scale.own_problems
    request = {"side": side, "bytes": size, "tests": scale.tests, "problems": problems}
    command = [sys.executable, str(SIDE), json.dumps(request)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield process  # its standard input is closed then, which ends it


def shown_size(found: dict[str, Any]) -> str:
    return f"{found['resident'] / 1e6:,.0f} MB"


def available_bytes() -> int:
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    return int(text.partition("MemAvailable:")[2].split()[0]) * 1024


def overhead_rows(scale: Scale) -> list[Row]:
    """The row of a problem as LiveCodeBench has them: wall time over the tests' own processor time, one at a time."""
    from verl_sdpo.rewards.code_answer import compute_score

    truth = ground_truth(echo_tests(scale.tests))
    own = scale.tests * SPIN_SECONDS
    seconds = []
    for number in range(scale.overhead_problems + 1):
        begun = time.perf_counter()
        outcome = compute_score(response_of(SPIN.format(number=number)), truth, sandbox={"num_slots": 1})
        seconds.append(time.perf_counter() - begun)
        assert outcome["score"] == 1.0, outcome
    seconds = seconds[1:]  # the first starts what is started once
    more = statistics.median(seconds) / own - 1
    what = f"wall time of {scale.tests} tests of {1e3 * SPIN_SECONDS:.0f} ms each over their own processor time"
    reached = f"{100 * more:+.1f} % ({statistics.median(seconds):.3f} s over {own:.3f} s)"
    figures = {"seconds": seconds, "own": own, "more": more, "processors": os.cpu_count()}
    return [Row("overhead", what, "<= +15 %", reached, more <= 0.15, figures)]
