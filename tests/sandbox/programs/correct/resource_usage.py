# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "True True\nTrue\n", "needs": ["unix"]}
import resource
import sys

usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime >= 0, usage.ru_maxrss > 0)
soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
print(isinstance(soft, int))
