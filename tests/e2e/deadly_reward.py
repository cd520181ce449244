# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A reward whose programs run long enough to be killed; the option `reward_modules` of a run names this file."""

from verl_sdpo.rewards import register_reward
from verl_sdpo.sandbox import Limits, Status, run

# Fails on every second response or so, and says on the others what it read.
PROGRAM = """\
import sys, time
total = sum(sys.stdin.buffer.read())
while time.process_time() < 0.3:
    pass
if total % 2:
    raise ValueError("odd")
print("passed", total)
"""


@register_reward("killed_processes")
def compute_score(solution_str, ground_truth, extra_info=None):
    result = run(PROGRAM, solution_str, Limits(cpu_seconds=5.0, wall_seconds=60.0))
    if result.status == Status.SANDBOX_ERROR:
        return {"score": 0.0, "sandbox_error": 1.0, "feedback": result.reason}
    total = sum(solution_str.encode("utf-8", "surrogatepass"))
    is_right = result.status == Status.FINISHED and result.stdout == f"passed {total}\n".encode()
    return {"score": float(is_right), "feedback": "" if is_right else "The program failed."}
