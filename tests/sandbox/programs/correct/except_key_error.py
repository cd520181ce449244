# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\nada 1\nbob 2\neve 3\nbob\nzed\n", "expected": "2\nno zed\n"}
n = int(input())
ages = {}
for _ in range(n):
    name, age = input().split()
    ages[name] = int(age)
for _ in range(2):
    try:
        name = input()
        print(ages[name])
    except KeyError as error:
        print("no", error.args[0])
