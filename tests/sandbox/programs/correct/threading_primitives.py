# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "ready\nfired\n3\n"}
import threading

ready, fired = threading.Event(), threading.Event()
barrier = threading.Barrier(3)
passed = threading.Semaphore(0)


def waiter():
    ready.wait()
    barrier.wait()
    passed.release()


threads = [threading.Thread(target=waiter) for _ in range(3)]
for thread in threads:
    thread.start()
ready.set()
print("ready")
threading.Timer(0.02, fired.set).start()
fired.wait(2)
print("fired")
print(sum(passed.acquire(timeout=2) for _ in range(3)))
