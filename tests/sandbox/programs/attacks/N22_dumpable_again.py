# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE, PR_SET_PTRACER, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 4, 0x59616D61, 1, 38
print(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0))
# It must not shed its tie to the parent, nor the flag that keeps it from gaining rights.
if libc.prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0:
    print("ESCAPED: no_new_privs cleared")
libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
for call, argument in (("setuid", 0), ("setgid", 0), ("seteuid", 0)):
    if os.getuid() != 0 and os.getgid() != 0:
        try:
            getattr(os, call)(argument)
            print("ESCAPED:", call)
        except OSError as error:
            print("blocked", error.errno)
