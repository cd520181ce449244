# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
from multiprocessing import shared_memory

try:
    block = shared_memory.SharedMemory(create=True, size=4096)
    print("ESCAPED: shared memory", block.name)
    block.close()
    block.unlink()
except OSError as error:
    print("blocked", error.errno)
