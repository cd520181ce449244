# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A reward that works until the file named by FAIL_FROM exists, and from then on does what FAIL_BY says.

Not the call that is made before the run starts, where there is no Ray yet.
"""

import os
import signal

import ray


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    if ray.is_initialized() and os.path.exists(os.environ["FAIL_FROM"]):
        if os.environ["FAIL_BY"] == "death":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KeyError("the column that came too late")
    return {"score": 0.0, "feedback": "wrong"}
