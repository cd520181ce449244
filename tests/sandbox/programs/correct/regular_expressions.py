# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "a1b22 c333; key=value, x=9\n", "expected": "['1', '22', '333', '9']\n{'key': 'value', 'x': '9'}\n<a><b> <c>\n['a1b22', 'c333', 'key=value', 'x=9']\n"}
import re

line = input()
print(re.findall(r"\d+", line))
print(dict(re.findall(r"(\w+)=(\w+)", line)))
print(re.sub(r"([a-z])\d+", r"<\1>", line.split(";")[0]))
print(re.compile(r"[ ;,]+").split(line))
