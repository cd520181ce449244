# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programs through their reward: the sources' own solutions, and programs that know the expected outputs."""

import json
import re

import pytest

from data_preprocess import code_answers, codeelo, codeforces, humaneval_plus, livecodebench, mbpp_plus, round_trip
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, NotTried, Refused
from data_preprocess.schema import chat_prompt, make_row
from tests.data_preprocess.command_line import rows_of, write_lines
from tests.data_preprocess.test_livecodebench import function_record
from verl_sdpo.rewards import compute_score
from verl_sdpo.sandbox import SandboxRefused

GOLD = "reward: gold answer scores 1, a wrong one 0"
OUTPUTS = "reward: expected outputs score 1, others 0"
# In the form of EvalPlus: a comparison that allows for floats, and inputs and results as one literal each.
COMPARISON = """
import numpy as np

def is_floats(x) -> bool:
    # a float, or a list, tuple or array of them
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False


def assertion(out, exp, atol):
    exact_match = out == exp

    if atol == 0 and is_floats(exp):
        atol = 1e-6

    if not exact_match and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match

"""
CHECK = (
    COMPARISON
    + """
def check(candidate):
    inputs = {inputs}
    results = {results}
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, {atol})
"""
)


def humaneval(number, prompt, solution, name, inputs=None, results=None, atol=0, test=None):
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": prompt,
        "canonical_solution": solution,
        "entry_point": name,
        "test": test or CHECK.format(inputs=inputs, results=results, atol=atol),
    }


HUMANEVAL = {
    "floats": humaneval(
        1,
        'from typing import List\n\n\ndef halves(xs: List[float]) -> List[float]:\n    """ Half of each. """\n',
        "    return [x / 2 for x in xs]\n\n",
        "halves",
        "[[[1.0, 3.0]], [[]], [[1e-9, float('inf')]]]",
        "[[0.5000000001, 1.5], [], [5e-10, float('inf')]]",
    ),
    "tolerance": humaneval(
        2,
        'import math\n\n\ndef area(radius: float):\n    """ Of a circle. """\n',
        "    return math.pi * radius ** 2\n",
        "area",
        "[[1], [2]]",
        "[3.14, 12.57]",
        atol="0.01",
    ),
    "None, sets, tuples and large numbers": humaneval(
        3,
        '\ndef kinds(x):\n    """ By kind. """\n',
        "    return {0: None, 1: {1, 2}, 2: (1, 'b'), 3: 10 ** 5000, 4: {'a': [True, None]}}[x]\n",
        "kinds",
        "[[0], [1], [2], [3], [4]]",
        "[None, {1, 2}, (1, 'b'), 10 ** 5000, {'a': [True, None]}]",
    ),
    "only None": humaneval(
        4, 'def nothing(x):\n    """ None. """\n', "    return None\n", "nothing", "[[0]]", "[None]"
    ),
    "the prompt's helper in the tests": humaneval(
        5,
        "import math\n\n\ndef poly(xs: list, x: float):\n    return sum(c * math.pow(x, i) for i, c in enumerate(xs))\n"
        '\n\ndef find_root(xs: list):\n    """ Where poly is 0. """\n',
        "    return -xs[0] / xs[1]\n",
        "find_root",
        test="import math\n\ndef check(candidate):\n    inputs = [[[1, 2]], [[-6, 3]]]\n"
        "    for i, inp in enumerate(inputs):\n        assert abs(poly(*inp, candidate(*inp))) <= 0.0001\n",
    ),
    "a reference in the tests, which change their input": humaneval(
        6,
        'def ordered(xs):\n    """ In order. """\n',
        "    xs.sort()\n    return xs\n",
        "ordered",
        test=COMPARISON + "def ref_func(xs):\n    return sorted(xs)\n\n\ndef check(candidate):\n"
        "    inputs = [[[3, 1, 2]], [['b', 'a']]]\n    for i, inp in enumerate(inputs):\n"
        "        assertion(candidate(*[list(inp[0])]), ref_func(*inp), 0)\n\n\ncheck(ordered)\n",
    ),
    "a helper of the solution, and quotes": humaneval(
        7,
        'def encode(text: str):\n    """ As code.\n\n    ```python\n    encode("a")\n    ```\n    """\n',
        "    return '```'.join(part(c) for c in text)\n\n\ndef part(c):\n    return c * 2\n",
        "encode",
        "[['ab'], ['\u00e9\U0001f600']]",
        "['aa```bb', '\u00e9\u00e9```\U0001f600\U0001f600']",
    ),
}


def mbpp(number, code, shown, inputs, results, imports=(), comparison="assertion({}(*inp), exp, 0)"):
    name = re.findall(r"def (\w+)", code)[-1]
    loop = f"inputs = {inputs}\nresults = {results}\nfor i, (inp, exp) in enumerate(zip(inputs, results)):\n"
    return {
        "task_id": number,
        "code": code,
        "prompt": f"Write a function, number {number}.",
        "source_file": "a notebook",
        "test_imports": list(imports),
        "test_list": list(shown),
        "test": f"{COMPARISON}\n{loop}    {comparison.format(name)}\n",
    }


MBPP = {
    "order does not matter": mbpp(
        2,
        "def shared(a, b):\n    return tuple(set(a) & set(b))\n",
        ["assert set(shared((3, 4, 5), (5, 4))) == set((4, 5))", "assert set(shared((1,), (2,))) == set()"],
        "[[(3, 4, 5), (5, 4)], [(1,), (1,)]]",
        "[(4, 5), (1,)]",
        comparison="assert set({}(*inp)) == set(exp)",
    ),
    "imports of the tests": mbpp(
        3,
        "import math\n\ndef volume(r):\n    return 4 / 3 * math.pi * r ** 3\n",
        ["assert math.isclose(volume(10), 4188.790204786391, rel_tol=0.001)"],
        "[[10], [0.5]]",
        "[4188.790204786391, 0.5235987755982988]",
        imports=["import math"],
    ),
    "a helper, and an array": mbpp(
        4,
        "import numpy\n\ndef twice(x):\n    return 2 * x\n\n"
        "def both(xs):\n    return numpy.array([twice(x) for x in xs])\n",
        ["assert list(both([1, 2])) == [2, 4]"],
        "[[[1.5, 2.5]]]",
        "[[3.0, 5.0]]",
        comparison="assert np.allclose({}(*inp), exp)",
    ),
    "a pattern": mbpp(
        5,
        "import re\ndef match(text):\n    return re.search('ab{3}', text) is not None\n",
        ['assert match("abbb")', 'assert not match("ac")'],
        "[['aabbbbd'], ['']]",
        "[True, False]",
    ),
}


def convert_all(dataset, folder, records, *arguments):
    """Status and rows of a conversion of records as a test split."""
    source = write_lines(folder / "test.jsonl", records)
    out = folder / "out"
    wanted = ["--input", str(source), "--output", str(out), *arguments]
    status = run(dataset, wanted + (["--split", "test"] if "train" in dataset.splits else []))
    return status, rows_of(out / "test.parquet") if (out / "test.parquet").exists() else []


def counted(line, number, told):
    return re.search(rf"{re.escape(line)} +{number}\n", told) is not None


@pytest.mark.parametrize(("dataset", "records"), [(humaneval_plus, HUMANEVAL), (mbpp_plus, MBPP)])
def test_reference_solutions_of_all_shapes_round_trip(dataset, records, tmp_path, capsys):
    status, rows = convert_all(dataset.DATASET, tmp_path, records.values())
    told = capsys.readouterr().out
    assert (status, len(rows)) == (0, len(records)), told
    assert counted(GOLD, len(records), told)


BROKEN = [
    (humaneval_plus, HUMANEVAL["floats"] | {"canonical_solution": "    return xs\n"}),
    (humaneval_plus, HUMANEVAL["only None"] | {"canonical_solution": "    return 0\n"}),
    (humaneval_plus, HUMANEVAL["tolerance"] | {"canonical_solution": "    return 3.15 * radius ** 2\n"}),
    (humaneval_plus, HUMANEVAL["tolerance"] | {"canonical_solution": "    return undefined\n"}),
    (humaneval_plus, HUMANEVAL["tolerance"] | {"canonical_solution": "    return (\n"}),
    (mbpp_plus, MBPP["a pattern"] | {"code": "def match(text):\n    return True\n"}),
    (mbpp_plus, MBPP["imports of the tests"] | {"test_imports": []}),
]


@pytest.mark.parametrize(("dataset", "record"), BROKEN)
def test_a_solution_that_fails_is_the_fault_of_its_row(dataset, record, tmp_path, capsys):
    sound = next(iter((HUMANEVAL if dataset is humaneval_plus else MBPP).values()))
    status, rows = convert_all(dataset.DATASET, tmp_path, [sound, record | {"prompt": record["prompt"] + "\n"}])
    told = capsys.readouterr().out
    assert (status, len(rows)) == (0, 1)
    assert re.search(
        r"refused: test row 1: (the gold answer does not score 1 but 0|a test, or its checker, is br)", told
    )


def test_tests_that_accept_anything_are_the_fault_of_their_row(tmp_path, capsys):
    careless = HUMANEVAL["floats"] | {"test": "def check(candidate):\n    candidate([1.0])\n"}
    assert convert_all(humaneval_plus.DATASET, tmp_path, [careless]) == (1, [])
    assert "refused: test row 0: the wrong answer does not score 0 but 1" in capsys.readouterr().out


def test_broken_tests_are_the_fault_of_their_row(tmp_path, capsys):
    broken = HUMANEVAL["floats"] | {"test": "import missing_module\ndef check(candidate):\n    pass\n"}
    assert convert_all(humaneval_plus.DATASET, tmp_path, [broken]) == (1, [])
    assert "refused: test row 0: a test, or its checker, is broken" in capsys.readouterr().out


def code_row(kind="stdin", tests=(("1\n", "2\n"),), function=None, checker=None):
    truth = {
        "version": 1,
        "kind": kind,
        "tests": [{"input": given, "output": output, "is_public": False} for given, output in tests],
        "function": function,
        "setup": "",
        "time_limit": 2,
        "memory_limit": 64,
        "checker": checker,
    }
    prompt = chat_prompt("Solve it.")
    return make_row(
        data_source="code/toy", prompt=prompt, ground_truth=json.dumps(truth), ability="code", split="test", index=0
    )


def check(row):
    round_trip.check_reward(row, round_trip.responses_of(Dataset("toy", convert=None), row, {}))


EXACT = "import sys\nprint(int(open(sys.argv[2]).read() == open(sys.argv[3]).read()))\n"
SOUND = {
    "stdin": code_row(tests=[("1\n", "2\n"), ("\u00e9 \U0001f600\r\n", "'\"\\\u2028 \U0001f600 ```\n```"), ("", "")]),
    "the same input twice": code_row(tests=[("1\n", "2\n"), ("1\n", "2.0\n")]),
    "function": code_row(
        "function",
        [('[1, "a", [1.50, null]]', '{"b": [true, 1e400]}'), ('[{"a": 1}]', "null"), ('["\\ud83d\\ude00"]', "[]")],
        "solve",
    ),
    "checker": code_row(tests=[("1\n", "2\n"), ("2\n", "3\n")], checker=EXACT),
}
UNSOUND = {
    "one input with two outputs": (code_row(tests=[("1\n", "2\n"), ("1\n", "3\n")]), "gold answer does not score 1"),
    "checker refuses": (code_row(checker="print(0)"), "gold answer does not score 1"),
    "checker accepts": (code_row(checker="print(1)"), "wrong answer does not score 0"),
    "checker fails": (code_row(checker="raise ValueError"), "a test, or its checker, is broken"),
    "value that equals nothing": (code_row("function", [("[]", '{"a": 1, "a": 2}')], "f"), "gold answer does not"),
}


@pytest.mark.parametrize("name", SOUND)
def test_expected_outputs_round_trip(name):
    check(SOUND[name])


@pytest.mark.parametrize("name", UNSOUND)
def test_tests_that_no_program_can_pass_are_found(name):
    row, reason = UNSOUND[name]
    with pytest.raises(Refused, match=reason):
        check(row)


@pytest.mark.parametrize("name", SOUND)
def test_a_program_that_knows_all_outputs_but_one_fails(name):
    truth = json.loads(SOUND[name]["reward_model"]["ground_truth"])
    known = truth | {"tests": [*truth["tests"][:-1], truth["tests"][-1] | {"output": '"other"'}]}
    row = SOUND[name] | {"reward_model": {"style": "rule", "ground_truth": json.dumps(known)}}
    scored = compute_score("code/toy", code_answers.expected_outputs(row), json.dumps(truth))
    assert scored["score"] == 0.0


def test_what_cannot_be_tried_is_kept_and_counted(tmp_path, capsys, monkeypatch):
    with pytest.raises(NotTried, match="no solution is at hand"):
        check(code_row("asserts", [("assert f() == 1", "")], "f"))
    monkeypatch.setattr(code_answers, "MAX_OUTPUT_MIB", 1e-6)
    status, rows = convert_all(codeelo.DATASET, tmp_path, [elo(1)])
    assert (status, len(rows)) == (0, 1)
    assert counted("reward not tried: expected outputs over 1e-06 MiB", 1, capsys.readouterr().out)


def elo(number, output="2\n"):
    texts = dict.fromkeys(("description", "input", "output"), "Text.")
    limits = {"time_limit_ms": 1000, "memory_limit_mb": 256}
    examples = {"examples": [["1\n", output], ["2\n", "3\n"]]}
    return {"problem_id": f"{number}A", "title": f"Problem {number}"} | texts | limits | examples


def forces(number):
    tests = [{"input": "1\n", "output": "2\n"}]
    source = {"id": f"{number}/A", "title": f"Problem {number}", "description": "Text.", "output_format": "A number."}
    return source | {
        "official_tests": tests,
        "official_tests_complete": True,
        "time_limit": 1,
        "generated_checker": EXACT,
    }


def test_only_some_rows_of_codeforces_are_tried_unless_asked_for(tmp_path, capsys, monkeypatch):
    assert codeforces.DATASET.check_rows == 100
    records = [forces(number) for number in range(3)]
    for arguments, tried in (([], 3), (["--check-rows", "2"], 2)):
        assert convert_all(codeforces.DATASET, tmp_path, records, *arguments)[0] == 0
        told = capsys.readouterr().out
        assert counted(OUTPUTS, tried, told)
        assert counted("reward not tried: more rows than --check-rows", 1, told) == (tried == 2)
    assert convert_all(codeforces.DATASET, tmp_path, records, "--check-rows", "0")[0] == 2
    assert "--check-rows 0: must be at least 1" in capsys.readouterr().err


def test_without_a_sandbox_rows_are_kept_and_the_table_says_why(tmp_path, capsys, monkeypatch):
    asked = []

    def refuse(*arguments, **options):
        asked.append(arguments)
        error = SandboxRefused("it lacks 'filesystem': programs could read, e.g. answers. In force: nothing. Or else.")
        raise ValueError(f"data source 'code/codeelo': {error}") from error

    monkeypatch.setattr(round_trip, "compute_score", refuse)
    status, rows = convert_all(codeelo.DATASET, tmp_path, [elo(number) for number in range(5)])
    told = capsys.readouterr().out
    assert (status, len(rows)) == (0, 5)
    assert counted("reward not tried: programs cannot be run here", 5, told)
    why = "it lacks 'filesystem': programs could read, e.g. answers\n"
    assert f"note: test: WARNING: programs cannot be run here, so no answers were tried: {why}" in told
    assert len(asked) == 1, "one row tells"


def test_a_failure_of_the_sandbox_is_not_the_fault_of_the_row(tmp_path, capsys, monkeypatch):
    failed = {"score": 0.0, "feedback": "", "sandbox_error": 1.0, "bad_test": 0.0}
    monkeypatch.setattr(round_trip, "compute_score", lambda *arguments: failed)
    assert len(convert_all(codeelo.DATASET, tmp_path, [elo(1)])[1]) == 1
    assert counted("reward not tried: the sandbox failed", 1, capsys.readouterr().out)


def test_a_real_refusal_of_the_sandbox_reaches_the_table(tmp_path, capsys, monkeypatch):
    def refuse(self):
        raise SandboxRefused("programs cannot be isolated on this machine: no such call")

    monkeypatch.setattr("verl_sdpo.sandbox.local.LocalSandbox.layers", refuse)
    status, rows = convert_all(codeelo.DATASET, tmp_path, [elo(1), elo(2, "7\n")])
    assert (status, len(rows)) == (0, 2)
    assert "tried: programs cannot be isolated on this machine: no such call\n" in capsys.readouterr().out


def test_functions_of_livecodebench_are_tried_by_their_outputs(tmp_path, capsys):
    status, rows = convert_all(livecodebench.DATASET, tmp_path, [function_record()])
    assert (status, len(rows)) == (0, 1)
    assert counted(OUTPUTS, 1, capsys.readouterr().out)
