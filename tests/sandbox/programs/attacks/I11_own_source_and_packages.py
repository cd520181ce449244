# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import sys

# Of the packages beside it, the code that judges it must not be readable.
for name in ("verl_sdpo", "verl_sdpo.rewards", "verl", "tests"):
    try:
        module = __import__(name)
        print("ESCAPED: imported", name)
    except BaseException as error:
        print(type(error).__name__)
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in ("verl_sdpo", "verl", "ray", "torch"):
        try:
            print("ESCAPED: read", name, len(open(module.__file__).read()))
        except (OSError, TypeError, AttributeError):
            pass
