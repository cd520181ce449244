# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "hello\n", "expected": "b'Jello' b'ell' 5\nh3ll0 hll\n[2, 1]\n"}
word = input()
data = bytearray(word.encode())
view = memoryview(data)
view[0] = ord("J")
print(bytes(view), bytes(view[1:4]), view.nbytes)
print(word.translate(str.maketrans("eo", "30")), word.translate({ord("e"): None, ord("o"): None}))
counts = bytearray(256)
for byte in word.encode():
    counts[byte] += 1
print(sorted(set(counts) - {0}, reverse=True))
