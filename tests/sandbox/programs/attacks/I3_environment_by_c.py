# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import ctypes

# The environment that the process was started with, whatever os.environ says now.
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
i = 0
while environ and environ[i]:
    if b"SECRET" in environ[i] or b"TOKEN" in environ[i] or b"RAY_" in environ[i]:
        print("ESCAPED:", environ[i].decode())
    i += 1
print(i)
