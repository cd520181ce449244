# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "memory_limit", "wrong_answer"]}
import sys
import threading

sys.setrecursionlimit(10**9)
threading.stack_size(1 << 16)


def deep(items):
    return sorted(items, key=lambda x: deep(items))


threading.Thread(target=deep, args=([1],)).start()
