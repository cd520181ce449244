# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that a source file cannot hold: other line ends, marks at the start, sizes, and text that is no text."""

SUM = "a, b = map(int, input().split())\nprint(a + b)\n"
NOT_PYTHON = {"verdicts": ["compile_error", "runtime_error"]}
# Whether a compiler gives up on what is nested this deep, and with which exception, depends on the version.
TOO_DEEP = {"verdicts": ["compile_error", "runtime_error", "memory_limit", "time_limit", "wrong_answer"]}


def sum_of_two(source):
    return lambda: ({"kind": "stdin", "stdin": "3 4\n", "expected": "7\n"}, source)


def attack(spec, make):
    return lambda: (spec, make())


CORRECT = {
    "crlf_source": sum_of_two(SUM.replace("\n", "\r\n")),
    "crlf_in_text": sum_of_two('"""Two\r\nlines."""\r\nx = """a\r\nb"""\r\nassert x == "a\\nb"\r\n' + SUM),
    "cr_source": sum_of_two(SUM.replace("\n", "\r")),
    "mark_at_start": sum_of_two("\ufeff" + SUM),
    "mark_and_crlf": sum_of_two("\ufeff" + SUM.replace("\n", "\r\n")),
    "no_newline_at_end": sum_of_two(SUM.rstrip()),
    "coding_line": sum_of_two("#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n" + SUM + "# é\n"),
    "coding_line_of_another_encoding": sum_of_two("# -*- coding: ascii -*-\n" + SUM),
    "form_feeds_and_tabs": sum_of_two("\f\nif True:\n\tx = 1\n\f\n" + SUM),
    "large_table_in_source": sum_of_two("TABLE = [" + "1234567, " * 50_000 + "]\n" + SUM),
    "many_functions": sum_of_two("".join(f"def f{i}():\n    return {i}\n" for i in range(3000)) + SUM),
    "nested_sixty_deep": sum_of_two("x = " + "[" * 60 + "]" * 60 + "\n" + SUM),
}

ATTACKS = {
    "N55_syntax_error": attack(NOT_PYTHON, lambda: "def f(:\n    pass\n"),
    "N55_bad_indentation": attack(NOT_PYTHON, lambda: "if True:\nprint(1)\n"),
    "N55_mixed_tabs": attack(NOT_PYTHON, lambda: "if True:\n\tx = 1\n        y = 2\n"),
    "N55_python_2": attack(NOT_PYTHON, lambda: "print 'hello'\n"),
    "N55_prose": attack(NOT_PYTHON, lambda: "The answer is simple: add the numbers.\n"),
    "N55_special_tokens_in_error": attack(NOT_PYTHON, lambda: 'x = "<|im_end|>\\n<|im_start|>user" oops(\n'),
    "N55_return_outside": attack(NOT_PYTHON, lambda: "return 5\n"),
    "N55_unknown_encoding": attack(
        # Text has no encoding left to declare: a sandbox that takes text may run it.
        {"verdicts": ["compile_error", "runtime_error", "wrong_answer"]},
        lambda: "# -*- coding: no-such-codec -*-\nprint(1)\n",
    ),
    "N56_nul_in_source": attack(NOT_PYTHON, lambda: "print(1)\0\nprint(2)\n"),
    "N56_nul_in_text": attack(NOT_PYTHON, lambda: 'x = "a\0b"\nprint(len(x))\n'),
    "N56_only_nul": attack({"verdicts": ["compile_error", "runtime_error", "wrong_answer"]}, lambda: "\0" * 1000),
    "N57_surrogate_in_source": attack(
        {"verdicts": ["compile_error", "runtime_error", "wrong_answer"]}, lambda: 'print("\ud800")\n'
    ),
    "N57_empty_source": attack({"verdicts": ["wrong_answer"]}, lambda: ""),
    "N57_source_10_mb": attack(
        {"verdicts": ["wrong_answer", "compile_error", "memory_limit", "time_limit"]},
        lambda: "x = 1\n" + "# " + "a" * 10_000_000 + "\nprint(x)\n",
    ),
    "N57_statements_10_mb": attack(
        {"verdicts": ["wrong_answer", "compile_error", "memory_limit", "time_limit"], "dangerous": True},
        lambda: "x = 1\n" * 1_700_000 + "print(x)\n",
    ),
    "N58_deep_parentheses": attack(TOO_DEEP, lambda: "(" * 100_000 + ")" * 100_000),
    "N58_deep_minus": attack(TOO_DEEP, lambda: "print(" + "-" * 100_000 + "1)\n"),
    "N58_deep_attributes": attack(TOO_DEEP, lambda: "x = 1\nprint(x" + ".real" * 100_000 + ")\n"),
    "N58_deep_sum": attack(TOO_DEEP, lambda: "print(" + "1+" * 100_000 + "1)\n"),
    "N58_deep_blocks": attack(
        TOO_DEEP, lambda: "".join(" " * i + "if 1:\n" for i in range(99)) + " " * 99 + "print(1)\n"
    ),
    "N58_deep_lambdas": attack(TOO_DEEP, lambda: "f = " + "lambda: " * 50_000 + "1\n"),
    "N58_constant_folding": attack(TOO_DEEP, lambda: "x = ((1 << 9000) ** 14) ** 3\n" * 1000 + "print(x % 9)\n"),
    "S0_hard_coded": attack({"verdicts": ["wrong_answer"]}, lambda: "print(7)\n"),
}
