# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "one two\n", "expected": "one\ntwo\nthree\n['words.txt']\n14\n"}
import os
from pathlib import Path

with open("words.txt", "w") as file:
    for word in input().split():
        print(word, file=file)
with open("words.txt", "a") as file:
    file.write("three\n")
print(open("words.txt").read(), end="")
print([name for name in os.listdir(".") if name.endswith(".txt")])
print(Path("words.txt").stat().st_size)
os.rename("words.txt", "other.txt")
os.unlink("other.txt")
