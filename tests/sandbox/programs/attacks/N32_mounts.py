# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
L = ctypes.c_long
os.makedirs("here", exist_ok=True)
for name, call in (
    ("tmpfs", lambda: libc.mount(b"none", b"here", b"tmpfs", L(0), None)),
    ("proc", lambda: libc.mount(b"proc", b"here", b"proc", L(0), None)),
    ("bind", lambda: libc.mount(b"/", b"here", None, L(4096), None)),
    ("umount", lambda: libc.umount2(b"here", 2)),
    ("pivot_root", lambda: libc.syscall(L(155), b".", b"here")),
    ("chroot", lambda: libc.chroot(b"here")),
    ("fsopen", lambda: libc.syscall(L(430), b"tmpfs", L(0))),
    ("fsmount", lambda: libc.syscall(L(432), L(-1), L(0), L(0))),
):
    result = call()
    print(f"ESCAPED: {name}" if result >= 0 else f"blocked {ctypes.get_errno()}", flush=True)
