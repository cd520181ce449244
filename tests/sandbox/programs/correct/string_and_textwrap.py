# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "the quick brown fox\n", "expected": "The Quick Brown Fox\nthe quick\nbrown fox\nabcxyz\n  right|left  | mid \nHi Ann\n"}
import string
import textwrap

line = input()
print(string.capwords(line))
print(textwrap.fill(line, 10))
print(string.ascii_lowercase[:3] + string.ascii_lowercase[-3:])
print(f"{'right':>7}|{'left':<6}|{'mid':^5}")
print(string.Template("Hi $name").substitute(name="Ann"))
