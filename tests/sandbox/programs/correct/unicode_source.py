# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2\n", "expected": "gr\u00f6\u00dfe 6.28 \u2713\n"}
# Комментарий
π = 3.14
größe = float(input()) * π
print("größe", f"{größe:.2f}", "\N{CHECK MARK}")
