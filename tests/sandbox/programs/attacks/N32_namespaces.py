# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("network", 0x40000000), ("process", 0x20000000)):
    result = libc.unshare(ctypes.c_int(flag))
    print(f"ESCAPED: unshare {name}" if result == 0 else f"blocked {ctypes.get_errno()}")
result = libc.unshare(ctypes.c_int(0x10000000 | 0x20000))
print("ESCAPED: unshare of both" if result == 0 else f"blocked {ctypes.get_errno()}")
for name in ("mnt", "net", "user", "pid"):
    try:
        with open(f"/proc/1/ns/{name}") as file:
            result = libc.setns(file.fileno(), 0)
            print(f"ESCAPED: setns {name}" if result == 0 else f"blocked {ctypes.get_errno()}")
    except OSError as error:
        print("blocked", error.errno)
