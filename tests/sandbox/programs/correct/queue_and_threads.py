# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5\n", "expected": "[0, 1, 2, 3, 4]\n10000\n"}
import threading
from queue import Empty, Queue

tasks, results = Queue(), []
lock = threading.Lock()
counter = 0


def work():
    while True:
        try:
            item = tasks.get_nowait()
        except Empty:
            return
        with lock:
            results.append(item)


def add():
    global counter
    for _ in range(2500):
        with lock:
            counter += 1


for i in range(int(input())):
    tasks.put(i)
threads = [threading.Thread(target=work) for _ in range(3)] + [threading.Thread(target=add, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results))
print(counter)
