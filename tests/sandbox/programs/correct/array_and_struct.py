# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 2 258\n", "expected": "261 24\nb'\\x02\\x01' (513,)\n"}
import struct
from array import array

numbers = array("q", map(int, input().split()))
print(sum(numbers), len(numbers.tobytes()))
print(struct.pack("<H", numbers[2]), struct.unpack(">H", b"\x02\x01"))
