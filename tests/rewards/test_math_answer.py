# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_sdpo.rewards import compute_score
from verl_sdpo.rewards.math_answer import ANSWER_FORMS
from verl_sdpo.rewards.math_expression import are_equal_expressions

EQUAL = [  # ground truth, answer
    ("5", "5"),
    ("5", "5.0"),
    ("1234", "1,234"),
    ("1234", "1{,}234"),
    ("1234", r"1,\!234"),
    ("10080", r"10\,080"),
    ("-5", "\u22125"),
    ("5", "+5"),
    ("5", r"\$5"),
    ("5", "$5$"),
    ("5", "5."),
    ("72", r"72 \text{ clips}"),
    ("72", "72 clips"),
    ("5", r"5\text{ cm}"),
    (r"5\text{ cm}", r"5\mathrm{cm}"),
    (r"5 \text{ cm}^2", "5 square centimeters"),
    (r"5\text{ cm}^2", "5"),
    (r"50\%", "50"),
    (r"50\%", "0.5"),
    ("50%", r"\frac{1}{2}"),
    ("0.5", r"50\%"),
    ("1/2", r"\frac12"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac{1}{2}", r"\dfrac{1}{2}"),
    (r"\frac{1}{2}", ".5"),
    (r"\frac{1}{2}", r"\tfrac12"),
    (r"-\frac{1}{2}", r"\frac{-1}{2}"),
    (r"-\frac12", "-0.5"),
    (r"\frac{3}{2}", r"1\frac{1}{2}"),
    (r"\frac{3}{2}", "1 1/2"),
    (r"\frac{2}{4}", r"\frac{1}{2}"),
    (r"\frac{1}{3}", "0.333333"),
    (r"90^\circ", "90"),
    ("90", r"90^{\circ}"),
    ("90", "90 degrees"),
    (r"30^\circ", "30\u00b0"),
    ("x=5", "5"),
    ("5", "x = 5"),
    ("y=2x+3", "2x+3"),
    ("y=2x+3", "y = 3 + 2x"),
    (r"\sqrt{2}", r"\sqrt2"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
    (r"\sqrt{2}", "1.414214"),
    (r"2\pi", r"\pi \cdot 2"),
    ("x^2-1", "(x-1)(x+1)"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("1,2", "2, 1"),
    ("1,2", r"\{1, 2\}"),
    ("1,2", "1 and 2"),
    ("1,2", r"1 \text{ and } 2"),
    ("(1,2)", r"\left(1, 2\right)"),
    (r"\left(\frac12,3\right)", "(0.5, 3)"),
    ("[0,1)", r"\left[0,1\right)"),
    (r"(-\infty, 2]\cup[3,\infty)", r"[3,\infty) \cup (-\infty,2]"),
    (r"(-\infty,2)", r"x \in (-\infty, 2)"),
    (r"\pm 2", "2,-2"),
    (r"3 \pm \sqrt{2}", r"3\pm\sqrt2"),
    (r"\text{Evelyn}", "Evelyn"),
    (r"\text{(C)}", "C"),
    (r"\text{C}", "(C)"),
    (r"\text{even}", "Even"),
    ("3+4i", "4i+3"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    (r"\begin{pmatrix}1/2\\2\end{pmatrix}", r"\begin{pmatrix} \frac12 \\ 2 \end{pmatrix}"),
    ("2^{10}", "1024"),
    (r"3\times10^{4}", "30000"),
    (r"6.02\cdot 10^3", "6020"),
    ("x<2", "2>x"),
    (r"x\le 2", r"x \leq 2"),
    ("52_8", "52_{8}"),
    (r"\binom{10}{3}", "120"),
    ("5!", "120"),
    (r"\log_2 8", "3"),
    (r"\frac{x}{2}", "0.5x"),
    ("100,200", "100, 200"),
    ("100, 200", "100,200"),
    ("12,34", "34, 12"),
    (r"\infty", r"+\infty"),
    (r"\frac{\pi}{6}", r"\pi/6"),
    ("2x+3y", "3y+2x"),
    (r"\emptyset", r"\varnothing"),
    ("e^{2}", "e^2"),
    (r"0.\overline{3}", r"\frac13"),
    ("1000000", "1 000 000"),
    (r"\frac{9}{7}", "9/7"),
    ("11", r"\boxed{11}"),
    (r"(3, \frac{\pi}{2})", r"\left( 3, \frac{\pi}{2} \right)"),
    ("15", "15 mph"),
    (r"\$18.90", "18.9"),
    ("6 - 5i", "6-5i"),
    (r"2\sqrt{3}", "sqrt(12)"),
    ("1,-2", "x=1,x=-2"),
    (r"\frac{1}{2}", r"\left(\frac{1}{2}\right)"),
    ("p - q", "-q+p"),
    (r"3\sqrt{13}", r"\sqrt{117}"),
    (r"\text{Monday}", r"\textbf{Monday}"),
    ("0", "0.0"),
    ("007", "7"),
    ("2^{100}", "1267650600228229401496703205376"),
    ("10^{30}-1", "9" * 30),
    ("10^{2008}-1", "-1+10^{2008}"),
]
UNEQUAL = [  # ground truth, answer
    ("5", "6"),
    ("5", "-5"),
    ("5", "0.5"),
    ("1234", "1,23,4"),
    ("1234", "12,34"),
    ("1234", "1.234"),
    (r"50\%", r"0.5\%"),
    (r"50\%", "5"),
    ("0.5", r"5\%"),
    (r"\frac12", r"\frac21"),
    (r"\frac12", "0.51"),
    (r"\frac13", "0.33"),
    (r"\frac13", "0.3"),
    (r"5\text{ cm}", r"5\text{ m}"),
    (r"5\text{ cm}^2", r"5 \text{ cm}^3"),
    ("x=5", "y=5"),
    ("x=5", "6"),
    (r"\sqrt2", "1.41"),
    (r"\sqrt2", r"\sqrt3"),
    (r"\{1,2\}", r"\{1,3\}"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    ("1,2", "1"),
    ("(1,2)", "(2,1)"),
    ("[0,1)", "(0,1)"),
    ("[0,1)", "[0,1]"),
    ("(0,1)", "[0,1]"),
    (r"(-\infty,2]\cup[3,\infty)", r"(-\infty,2]"),
    (r"(-\infty,2)", r"(-\infty,3)"),
    (r"\pm2", "2"),
    (r"\text{Evelyn}", "Angela"),
    (r"\text{(C)}", "D"),
    ("3+4i", "3-4i"),
    ("x^2", "x^3"),
    ("x", "X"),
    ("x+1", "y+1"),
    ("2^{10}", "1023"),
    ("52_8", "52"),
    ("52_8", "52_9"),
    ("x<2", "x>2"),
    ("x<2", r"x\le2"),
    ("120", "5"),
    ("5", ""),
    ("5", "?"),
    ("5", "five"),
    ("5", "5 or 6"),
    ("5", "4, 5"),
    ("0", "0.0000001"),
    ("0", "10^{-9}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}2\\1\end{pmatrix}"),
    ("2", "2x"),
    ("2x", "2"),
    ("10", "1 0"),
    ("1", "1000000/1000001"),
    (r"\frac{1}{2}", r"\frac{1}{2}\cdot"),
    ("1/0", "1/"),
    ("100", "10^{2^{1}}0"),
    ("3", r"\frac{3}{0}"),
    ("12", "1,2"),
    ("-2", "2"),
    ("5 minutes", "5 hours"),
    (r"2\pi", "6.28"),
    (r"\text{even}", "odd"),
    ("e", "2.7"),
    ("x^2-1", "x^2+1"),
    (r"\sin x", r"\cos x"),
    ("1,2,3", "1,2,2"),
    ("1,1,2", "1,2,2"),
    (r"\infty", r"-\infty"),
    ("a", "b"),
    ("2^{100}", "2^{100}+1"),
    ("10^{2008}-1", "10^{2008}"),
    (r"\frac{2^{99}-1}{2^{99}}", "1"),
    ("99!", "99!-1"),
]


def score(solution, truth, extra_info=None, source="math/math_500", **options):
    return compute_score(source, solution, truth, extra_info, **options)


def boxed(answer, truth, **options):
    return score(f"So it is \\boxed{{{answer}}}.", truth, **options)


@pytest.mark.parametrize(("truth", "answer"), EQUAL)
def test_the_same_answer_in_another_form_is_right(truth, answer):
    assert boxed(answer, truth)["score"] == 1.0
    assert boxed(truth, truth)["score"] == 1.0


@pytest.mark.parametrize(("truth", "answer"), UNEQUAL)
def test_another_answer_is_wrong(truth, answer):
    assert boxed(answer, truth)["score"] == 0.0


@pytest.mark.parametrize(
    ("solution", "forms", "is_right"),
    [
        ("\\boxed{34}", ("boxed",), True),
        ("\\boxed{\\frac{3}{4}} or \\boxed{34", ("boxed",), False),
        ("\\boxed{1} no, \\boxed{34} and \\boxed{", ("boxed",), True),
        ("\\boxed{34} no, \\boxed{1}", ("boxed",), False),
        ("\\fbox{1} \\boxed {34}", ("boxed",), True),
        ("<think>\\boxed{34}</think> I do not know", ("boxed",), False),
        ("<think>\\boxed{1}</think> \\boxed{34}", ("boxed",), True),
        ("\\boxed{34}" + " Checked." * 1000, ("boxed",), True),
        ("Answer: 34", ("boxed", "answer_line"), True),
        ("Answer: $34$\n", ("answer_line",), True),
        ("**Answer:** 34", ("answer_line",), True),
        ("**Final answer: 34**", ("answer_line",), True),
        ("Answer: \\boxed{34}", ("answer_line",), True),
        ("Answer: 1\nAnswer: 34", ("answer_line",), True),
        ("My answer: 34", ("answer_line",), False),
        ("#### 34", ("hashes",), True),
        ("#### 34", ("boxed", "answer_line"), False),
        ("##### 34", ("hashes",), False),
        ("<answer>34</answer>", ("tags",), True),
        ("\\boxed{1}\nAnswer: 34", ("boxed", "answer_line"), False),
        ("\\boxed{1}\nAnswer: 34", ("answer_line", "boxed"), True),
        ("34", ANSWER_FORMS, False),
    ],
)
def test_the_last_answer_in_the_first_accepted_form_counts(solution, forms, is_right):
    assert score(solution, "34", answer_forms=forms)["score"] == float(is_right)


def test_a_long_answer_is_read_whole():
    numbers = ", ".join(map(str, range(100, 140)))
    assert boxed(numbers, numbers.replace(",", r",\ "))["score"] == 1.0
    assert boxed(numbers.replace("139", "138"), numbers)["score"] == 0.0
    assert boxed("x" + "+1" * 90, "x+90")["score"] == 1.0


def test_feedback_says_what_was_read_and_keeps_the_right_answer_to_itself():
    outcome = boxed("35", "34")
    assert (outcome["feedback"], outcome["incorrect_format"]) == ("Your answer '35' is incorrect.", 0.0)
    assert boxed("35", "34", reveal_answer=True)["feedback"].endswith(" The correct answer is 34.")
    assert boxed("34", "34", reveal_answer=True)["feedback"] == ""
    assert len(boxed("7" * 50_000, "34")["feedback"]) < 200


@pytest.mark.parametrize(
    ("solution", "named"),
    [("", "empty"), ("34", "required form"), ("\\boxed{34", "no complete"), ("\\boxed{ $ }", "answer is empty")],
)
def test_a_response_without_an_answer_has_a_format_fault(solution, named):
    outcome = score(solution, "34")
    assert (outcome["score"], outcome["incorrect_format"]) == (0.0, 1.0)
    assert named in outcome["feedback"]


def test_a_cut_off_response_is_told_so_unless_it_is_right():
    assert "cut off" in score("Let me", "34", {"truncated": True})["feedback"]
    assert score("\\boxed{34} and", "34", {"truncated": True})["feedback"] == ""


@pytest.mark.parametrize("truth", ["", " ", None, 34, "$", "\\frac{1}{2", "}{", "1" * 1001])
def test_a_broken_ground_truth_is_an_error_whatever_the_response(truth):
    for solution in ("\\boxed{34}", ""):
        with pytest.raises(ValueError, match="gsm8k.*ground truth"):
            score(solution, truth, source="gsm8k")


@pytest.mark.parametrize("forms", [(), ("box",), "letter", ("boxed", 3)])
def test_an_unknown_answer_form_is_an_error(forms):
    with pytest.raises(ValueError, match="answer_forms.*boxed, answer_line, hashes, tags"):
        score("\\boxed{34}", "34", answer_forms=forms)


def test_threads_agree_with_the_main_thread():
    jobs = [(f"\\boxed{{{answer}}}", truth) for truth, answer in [*EQUAL, *UNEQUAL]]
    # What is kept of an expression would be the first caller's answer for all.
    are_equal_expressions.cache_clear()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        in_threads = list(pool.map(lambda job: score(*job), jobs * 3))
    are_equal_expressions.cache_clear()
    assert in_threads == [score(*job) for job in jobs] * 3
    assert [result["score"] for result in in_threads[: len(jobs)]] == [1.0] * len(EQUAL) + [0.0] * len(UNEQUAL)


HOSTILE = [
    "10**10**10", "10^{10^{10}}", "10^10^10", "9^{9999999999}", "((9^{999})^{999})^{999}", "2^(9^9^9)", "9^9!",
    "\\exp(\\exp(\\exp(100)))", "e^{e^{e^{100}}}", "(10^9)!", "99!!!!", "\\binom{10^9}{5}", "\\int_0^1 x dx",
    "\\sum_{i=1}^{10^9} i", "(x+y+z)^{2000}", "(" * 400 + "x" + ")" * 400, "{" * 400 + "}" * 400, "\\frac" * 150, "1/0",
    "\\sqrt{" * 100 + "}" * 100, "\\frac{1}{0}", "9" * 900, "1," * 400, "[" * 900, "\\sinh(\\sinh(\\sinh(99)))",
    "9^{9^{9^9}}", "\\exp(9^{20000})", "\\sin(\\exp(999999))", "\\sin(\\exp(9^{9}))",
    "\\lfloor\\exp(9999999)\\rfloor",
    "\\sqrt{9^{9999}+1}", "\\sqrt{2^{19999}-1}",
    "\\sqrt{9^{4000}+1}+\\sqrt{9^{4}+7}", "(2^{19999}-1)^{\\frac{1}{2}}",
    "\\sin(e^{1/0.0000001})",
    "\\sin(e^{\\pi\\pi\\pi\\pi\\pi\\pi\\pi\\pi\\pi\\pi\\pi\\pi\\pi})",
    "\\lfloor e^{xyzabcxyzabcxyz} \\rfloor",
    "\\binom{999}{500}^{20000}",
    "\\sin(" + "9" * 40 + "^{20000})",
    "\\sqrt{\\binom{999}{500}^{90}+1}",
    "99!^{19999}",
    "\\binom{999}{500}=12",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("answer", HOSTILE)
def test_costly_answers_are_wrong_at_once(answer):
    started = time.process_time()
    for truth in ("\\frac{x}{2}", "(1, 2)", "34", "2+\\sqrt{3}", "x=1", "\\sqrt{y}+3=e"):
        assert boxed(answer, truth)["score"] == 0.0
    # Seconds of processor time; reading takes a tenth, or one where math-verify is loaded first.
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "answer",
    [
        "2^{2013}+1", "10^{2008}-1", "2^{2013}\\cdot 3^{2}", "2^{500}\\sqrt{3}", "(\\frac{\\sqrt{2}}{2})^{500}",
        "x^{100}+1",
        "e^{-x/2}\\sin(x)", "e^{i\\pi/3}+1", "\\exp(-x^2)/2", "\\cosh(2x)", "\\frac{n(n+1)}{2}",
        "2^{\\frac{n(n-1)(n-2)}{6}}",
        "x^{0.5}+1", "(x+1)^{\\frac{1}{3}}", "\\sin(10^{100})", "99!+1",
        "\\frac{\\binom{49}{6}}{7}", "e^{1.5}+1",
    ],
)  # fmt: skip
def test_answers_as_datasets_have_them_are_within_the_bounds(answer):
    assert boxed(f"0 + {answer}", answer)["score"] == 1.0
    assert boxed(f"2 ({answer})", answer)["score"] == 0.0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["\\boxed{", "{", "}", "\\boxed{1}", "Answer: 1\n", "#### 1\n", "<answer>", " ", "\\"])
def test_a_megabyte_of_hostile_text_is_scored(unit):
    text = unit * (1_000_000 // len(unit))
    for solution in (text, f"\\boxed{{{text}}}", f"Answer: {text}"):
        assert score(solution, "34", answer_forms=ANSWER_FORMS)["score"] == 0.0


PIECES = st.sampled_from(
    [*"0123456789.,+-/^_{}()[]!%$ xyi", "\\frac", "\\sqrt", "\\text{", "\\pi", "\\cup", "\\pm", "="]
)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join)))
def test_any_answer_gets_a_score(answer):
    for truth in ("\\frac{1}{2}", "x+1"):
        assert boxed(answer, truth)["score"] in (0.0, 1.0)
