# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1}
import threading

lock = threading.Lock()
lock.acquire()
lock.acquire()
