# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]


# A filter that allows all, on top of what there is, changes nothing where filters only add up.
libc = ctypes.CDLL(None, use_errno=True)
allow = (Instruction * 1)(Instruction(0x06, 0, 0, 0x7FFF0000))
program = Program(1, allow)
libc.prctl(38, 1, 0, 0, 0)
print("added" if libc.prctl(22, 2, ctypes.byref(program)) == 0 else "blocked")
try:
    child = os.fork()
    if child == 0:
        os._exit(0)
    print("ESCAPED: fork")
except OSError as error:
    print("blocked", error.errno)
