# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import time

import pytest

from verl_sdpo.rewards.code_block import find_code

ADD = "a, b = map(int, input().split())\nprint(a + b)"
OTHER = "print(input())"


def block(code, language="python", fence="```"):
    return f"{fence}{language}\n{code}\n{fence}"


FOUND = {
    "plain": (block(ADD), ADD),
    "py": (block(ADD, "py"), ADD),
    "python3": (block(ADD, "python3"), ADD),
    "any case": (block(ADD, "Python"), ADD),
    "space before the language": (block(ADD, " python"), ADD),
    "more on the line": (block(ADD, 'python title="a.py"'), ADD),
    "in braces": (block(ADD, "{.python}"), ADD),
    "no language": (block(ADD, ""), ADD),
    "tildes": (block(ADD, fence="~~~"), ADD),
    "longer": (block(ADD, fence="````"), ADD),
    "closed by a longer fence": (f"```python\n{ADD}\n`````", ADD),
    "carriage returns": (block(ADD).replace("\n", "\r\n"), ADD),
    "old Mac line ends": (block(ADD).replace("\n", "\r"), ADD),
    "behind text": ("The code: " + block(ADD), ADD),
    "white space after the fences": (f"```python  \n{ADD}\n```  \nDone.", ADD),
    "answer tags": (f"<answer>\n{block(ADD)}\n</answer>", ADD),
    "answer tags on the same lines": (f"<answer>{block(ADD)}</answer>", ADD),
    "last of two": (block(OTHER) + "\nBetter:\n" + block(ADD), ADD),
    "after thinking": (f"<think>{block(ADD)}</think>\n{block(OTHER)}", OTHER),
    "after the last thought": (f"{block(ADD)}</think>{block(ADD)}</think>\n{block(OTHER)}", OTHER),
    "open thoughts": (f"<think>{block(ADD)}", ADD),
    "tagged before untagged": (block(ADD) + "\n" + block(OTHER, ""), ADD),
    "other languages": (
        block(ADD) + "".join(map("\n{}".format, (block("x" * 999, "text"), block("print(1)", "c++")))),
        ADD,
    ),
    "output after the code": (block(ADD) + "\nIt prints\n" + block("print 3\n" * 99, "text"), ADD),
    "open block at the end": (f"{block(ADD)}\n```python\nprint(", ADD),
    "open block in front": (f"```python\nprint(\nRather:\n{block(ADD)}", ADD),
    "fence too short to close": (f"````python\n{ADD}\n```\n````", ADD + "\n```"),
    "other kind does not close": (f"~~~python\n{ADD}\n```\n~~~", ADD + "\n```"),
    "indented": ("  ```python\n  if 1:\n    print(1)\n  ```", "if 1:\n  print(1)"),
    "in a list": ("1. Code:\n   ```python\n   for x in y:\n       print(x)\n   ```", "for x in y:\n    print(x)"),
    "behind a list mark": ("- ```python\n  print(1)\n  ```", "print(1)"),
    "indented fence, code is not": ("   ```python\nprint(1)\n   ```", "print(1)"),
    "in code within a line": ("Use ```print(1)``` or\n" + block(ADD), ADD),
    "code within a line with a language": ("```python print(1)```\n" + block(ADD), ADD),
    "stray fence": (f"```\n\n{block(ADD)}", ADD),
}


@pytest.mark.parametrize(("response", "code"), FOUND.values(), ids=FOUND)
def test_the_code_that_is_meant_is_found(response, code):
    assert find_code(response).code == code + "\n"


STRINGS = {
    "docstring": 'def f():\n    """\n    ```\n    f()\n    ```\n    """\n    print(1)',
    "docstring with a language": 'def f():\n    """Use\n    ```python\n    f()\n    ```\n    """\n    print(1)',
    "at the start of lines": "x = '''\n```\nx\n```\n'''\nprint(x)",
    "quotes in a comment": '# it\'s """\nprint(1)',
    "quotes in strings": "x = '\"\"\"' + \"'''\" + '\\'\"\"\"'\nprint(x)",
    "escaped quotes": 'x = """\\"""\n```\n"""\nprint(x)',
    "two on a line": 'x = """a""" + """b"""\nprint(x)',
    "one in the other": "x = '''\"\"\"'''\nprint(x)",
}


@pytest.mark.parametrize("code", STRINGS.values(), ids=STRINGS)
def test_fences_within_strings_belong_to_them(code):
    compile(code, "", "exec")
    assert find_code(f"First.\n{block(code)}\nThen:\n{block('x = 3')}\n").code == code + "\n"
    assert find_code(f"{block(OTHER)}\n{block(code)}").code == code + "\n"


def test_a_string_that_is_never_closed_does_not_swallow_the_next_block():
    broken = 'x = """abc'
    assert find_code(f"{block(broken)}\nSorry:\n{block(ADD)}").code == ADD + "\n"
    second = 'y = """fine"""\nprint(y)'
    assert find_code(f"{block(broken)}\nSorry:\n{block(second)}").code == second + "\n"


NOTHING = {
    "": "no block of code",
    "no code block": "no block of code",
    "print(1)": "no block of code",
    "```python\nx": "a block of code is not closed",
    "```\nx": "a block of code is not closed",
    block("int main() {}", "c++"): "blocks of other languages only",
    block("print(1)", "pycon"): "blocks of other languages only",
    block("print(1)", "python2"): "blocks of other languages only",
    "```cpp\nx": "no block of code",
    "```python\n```": "the block of code is empty",
    block(ADD) + "</think>": "no block of code",
    "`python`": "no block of code",
    "``python\nx\n``": "no block of code",
}


@pytest.mark.parametrize(("response", "note"), NOTHING.items())
def test_what_is_no_python_is_not_run(response, note):
    assert find_code(response) == (None, note)


@pytest.mark.parametrize(
    ("blocks", "function", "chosen", "note"),
    [
        ([ADD], None, 0, "the only Python block"),
        ([OTHER, ADD], None, 1, "the last of 2 Python blocks"),
        ([ADD, "x = 1"], None, 0, "number 1 of 2 Python blocks: the later one is a fragment"),
        ([OTHER, ADD, "x = 1", "y = 2"], None, 1, "number 2 of 4 Python blocks: the later ones are fragments"),
        (["x = 1", "y = 2"], None, 1, "the last of 2 Python blocks"),
        (["def f(x): return x", "print(f(3))"], "f", 0, "number 1 of 2 Python blocks: the later one is a fragment"),
        (["def f(x): return x", "def f(x): return 2 * x"], "f", 1, "the last of 2 Python blocks"),
        (
            ["class Solution:\n    def f(self): ...", "Solution().f()"],
            "f",
            0,
            "number 1 of 2 Python blocks: the later one is",
        ),
        (["f = lambda x: x", "f == 3"], "f", 0, "number 1 of 2"),
        (["f: Callable = lambda x: x", "def ff(): ..."], "f", 0, "number 1 of 2"),
        (["async def f(): ...", "g = f"], "f", 0, "number 1 of 2"),
        (["class f: ...", "f()"], "f", 0, "number 1 of 2"),
        (["def g(): ...", "def h(): ..."], "f", 1, "the last of 2"),
    ],
)
def test_a_fragment_after_the_answer_does_not_replace_it(blocks, function, chosen, note):
    found = find_code("\nand\n".join(map(block, blocks)), function)
    assert found.code == blocks[chosen] + "\n"
    assert found.note.startswith(note)


def test_the_note_tells_of_open_blocks_and_of_missing_languages():
    assert find_code(f"{block(ADD)}\n```python\nx").note == "the only Python block; another is not closed"
    assert find_code(block(ADD, "")).note == "the only block without a language"
    assert find_code(block(OTHER, "") + block(ADD, "").join("\n\n")).note == "the last of 2 blocks without a language"


HOSTILE = {
    "backticks": "`" * 10**6,
    "fences": "```\n" * 250_000,
    "opened": "```python\n" * 100_000,
    "opened and in a string": '```python\n"""\n```\n' * 55_000,
    "open strings": "```python\n" + '"""\n```\n' * 120_001,
    "quotes": "```python\n" + "'\"" * 500_000,
    "backslashes": '```python\n"""' + "\\" * 10**6,
    "white space": "```python\n" + (" " * 999 + "\n") * 1000,
    "one line of white space": "```python" + " " * 10**6 + "x",
    "thoughts": "</think>" * 125_000,
    "tags": "<answer>" * 125_000,
    "list marks": "- " * 500_000,
    "name": block("f " * 500_000),
    "definitions": block("def " * 250_000 + "\n" + "def\n" * 1000),
    "answers": "```" + "</answer>" * 100_000,
}


@pytest.mark.parametrize("response", HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_of_anything_takes_no_time(response):
    start = time.process_time()
    find_code(response)
    find_code(response, "f")
    # A tenth of that is usual; quadratic work would take hours.
    assert time.process_time() - start < 15
