# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A reward of which one call of a run never returns: that which makes the file that HANG_ONCE names.

Not the call that is made before the run starts, where there is no Ray yet.
"""

import os
import time

import ray


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    if not ray.is_initialized():
        return {"score": 0.0, "feedback": "wrong"}
    try:
        os.close(os.open(os.environ["HANG_ONCE"], os.O_CREAT | os.O_EXCL))
        time.sleep(100_000)
    except FileExistsError:
        pass
    return {"score": 0.0, "feedback": "wrong"}
