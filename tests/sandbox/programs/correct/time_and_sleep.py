# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "ok\n"}
import time

start, wall = time.perf_counter(), time.time()
time.sleep(0.05)
assert 0.04 < time.perf_counter() - start < 4
assert time.time() - wall > 0.03
assert time.monotonic() > 0 and time.process_time() >= 0
print("ok")
