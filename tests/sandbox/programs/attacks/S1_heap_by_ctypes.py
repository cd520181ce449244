# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"], "cpu_seconds": 10}
import ctypes
import re
import sys

# Reads around a block of the allocator, without the help of /proc.
size = 1 << 20
block = ctypes.create_string_buffer(1 << 16)
start = ctypes.addressof(block) & ~0xFFF
pages = ctypes.create_string_buffer(size // 4096)
libc = ctypes.CDLL(None)
for address in range(start - 64 * size, start + 64 * size, 4096):
    if libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(4096), pages) == 0:
        if found := re.search(rb"74261\d{5}", ctypes.string_at(address, 4096)):
            print("ESCAPED: in memory", file=sys.stderr)
            print(found[0].decode())
            sys.exit()
print("nothing found")
