# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "fools": true}
import re
import sys

for number, frame in sys._current_frames().items():
    while frame is not None:
        if found := re.search(r"74261\d{5}", repr(frame.f_locals)):
            print("ESCAPED: thread", number, file=sys.stderr)
            print(found[0])
            sys.exit()
        frame = frame.f_back
print("nothing found")
