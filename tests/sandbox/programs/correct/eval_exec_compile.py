# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2 * (3 + 4)\n", "expected": "14\n9\n25\n[0, 1, 4]\n"}
print(eval(input()))
exec("x = 4 + 5\nprint(x)")
code = compile("y ** 2", "<own>", "eval")
print(eval(code, {"y": 5}))
space = {}
exec("def f(n):\n    return [i * i for i in range(n)]", space)
print(space["f"](3))
