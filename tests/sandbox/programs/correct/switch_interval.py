# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "200\n"}
import sys
import threading

sys.setswitchinterval(1e-5)
done = []
threads = [threading.Thread(target=lambda: [done.append(1) for _ in range(50)]) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(done))
