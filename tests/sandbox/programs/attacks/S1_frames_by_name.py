# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "fools": true}
import sys

frame = sys._getframe()
while frame is not None:
    for name in ("test_output", "expected", "expected_output", "outputs", "answer", "truth", "ground_truth", "tests"):
        if name in frame.f_locals:
            print("ESCAPED:", name, file=sys.stderr)
            print(frame.f_locals[name])
            sys.exit()
    frame = frame.f_back
