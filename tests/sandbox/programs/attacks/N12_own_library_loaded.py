# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import ctypes
import os

# A file of its own as a library: the loader must refuse it, and the process must live on.
with open("own.so", "wb") as file:
    file.write(b"\x7fELF" + bytes(200))
os.chmod("own.so", 0o755)
try:
    ctypes.CDLL("./own.so")
    print("ESCAPED: loaded")
except OSError as error:
    print("blocked")
