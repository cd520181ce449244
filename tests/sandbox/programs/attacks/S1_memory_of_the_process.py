# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"], "cpu_seconds": 10, "fools": true}
import re
import sys

# What an earlier run left in the heap of the interpreter counts too.
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        start, end = (int(x, 16) for x in line.split()[0].split("-"))
        if "r" not in line.split()[1] or "[v" in line:
            continue
        try:
            memory.seek(start)
            data = memory.read(end - start)
        except (OSError, OverflowError, ValueError):
            continue
        if found := re.search(rb"74261\d{5}", data):
            print("ESCAPED: in memory", line.strip(), file=sys.stderr)
            print(found[0].decode())
            sys.exit()
print("nothing found")
