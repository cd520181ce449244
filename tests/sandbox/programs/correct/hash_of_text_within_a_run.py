# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "b a b\n", "expected": "['a', 'b'] True\n"}
words = input().split()
print(sorted(set(words)), hash(words[0]) == hash("".join(["b"])))
