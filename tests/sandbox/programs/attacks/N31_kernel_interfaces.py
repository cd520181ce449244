# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
L = ctypes.c_long
zeros = ctypes.create_string_buffer(256)
attribute = ctypes.create_string_buffer((0).to_bytes(4, "little") + (128).to_bytes(4, "little") + bytes(120), 128)
# None of these is used by an ordinary program, each has had faults that gave the machine away.
for name, number, *arguments in (
    ("userfaultfd", 323, L(0)),
    ("userfaultfd of user mode", 323, L(1)),
    ("perf_event_open", 298, attribute, L(0), L(-1), L(-1), L(0)),
    ("bpf", 321, L(0), zeros, L(72)),
    ("keyctl", 250, L(0), L(-3), L(1)),
    ("add_key", 248, b"user", b"sandbox", b"x", L(1), L(-3)),
    ("request_key", 249, b"user", b"sandbox", None, L(-3)),
    ("fanotify_init", 300, L(0), L(0)),
    ("modify_ldt", 154, L(0), zeros, L(16)),
    ("iopl", 172, L(3)),
    ("ioperm", 173, L(0x80), L(1), L(1)),
    ("syslog", 103, L(10), None, L(0)),
    ("kexec_load", 246, L(0), L(0), None, L(0)),
    ("init_module", 175, zeros, L(0), b""),
    ("swapon", 167, b"swap", L(0)),
    ("quotactl", 179, L(0x800001), None, L(0), zeros),
    ("acct", 163, None),
    ("sethostname", 170, b"owned", L(5)),
    ("vmsplice", 278, L(-1), None, L(0), L(0)),
    ("memfd_secret", 447, L(0)),
):
    result = libc.syscall(L(number), *arguments)
    print(f"ESCAPED: {name} {result}" if result >= 0 else f"blocked {ctypes.get_errno()}", flush=True)
