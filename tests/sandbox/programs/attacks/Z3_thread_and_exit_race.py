# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os
import threading

threads = [threading.Thread(target=lambda: os.write(1, b"x" * 100)) for _ in range(20)]
threads.append(threading.Thread(target=os._exit, args=(0,)))
for thread in threads:
    thread.start()
