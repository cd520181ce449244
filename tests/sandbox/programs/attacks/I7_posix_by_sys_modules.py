# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["unix"]}
import sys

# What a list of forbidden imports leaves.
posix = sys.modules["posix"]
names = [cls for cls in object.__subclasses__() if cls.__name__ == "_wrap_close"]
print(names[0].__init__.__globals__["system"]("echo ESCAPED: by a subclass of object") if names else None)
print(posix.system("echo ESCAPED: by posix"))
