# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "44\n", "expected": "3 4 6 0b101100 0o54 0x2c\n[0, 4, 8, 12, 32, 36, 40, 44]\n-45 11 176\n"}
n = int(input())
print(bin(n).count("1"), n & -n, n.bit_length(), bin(n), oct(n), hex(n))
subsets, s = [], n
while True:
    subsets.append(s)
    if s == 0:
        break
    s = (s - 1) & n
print(subsets[::-1])
print(~n, n >> 2, n << 2)
