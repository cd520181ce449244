# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Mathematics: is the final answer of a response the right one?

The prompts ask for ``\\boxed{}``, DAPO's own for a last line ``Answer: ...``. What counts as the same answer is in
``math_equality.py``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from verl_sdpo.rewards import feedback_texts as texts
from verl_sdpo.rewards.math_equality import MAX_ANSWER_CHARS, bare_answer, is_equal, is_unreadable
from verl_sdpo.rewards.outcome import excerpt, is_truncated, last_tagged

ANSWER_FORMS = ("boxed", "answer_line", "hashes", "tags")
DEFAULT_ANSWER_FORMS = ("boxed", "answer_line")

_BOX = re.compile(r"\\boxed[ \t]{0,16}\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_LINES = {
    "answer_line": re.compile(
        r"^[ \t]{0,16}(?:\*\*|__)?(?:final )?answer(?:\*\*|__)?[ \t]{0,4}:(?:\*\*|__)?([^\n]*)",
        re.IGNORECASE | re.MULTILINE,
    ),
    "hashes": re.compile(r"^[ \t]{0,16}####(?!#)([^\n]*)", re.MULTILINE),
}
_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)


def compute_score(
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reveal_answer: bool = False,
    answer_forms: Iterable[str] = DEFAULT_ANSWER_FORMS,
) -> dict[str, Any]:
    """Score 1 for the right final answer in an accepted form, else 0 with feedback.

    Args:
        solution_str: the response.
        ground_truth: the right answer, a number or LaTeX.
        extra_info: the row's; only ``truncated`` is read.
        reveal_answer: end the feedback with the right answer. Off: an environment that does not hand out answers.
        answer_forms: which of ``boxed``, ``answer_line``, ``hashes`` (``#### 5``) and ``tags`` count. The first of them
            that the response uses decides, with its last use.

    Returns:
        ``score``, ``feedback``, ``incorrect_format`` (1.0 where no answer could be read).

    Raises:
        ValueError: the ground truth or an answer form is not what it should be.
    """
    forms = _checked_forms(answer_forms)
    right = _checked_answer(ground_truth)
    answer = _read_answer(solution_str, forms)
    # An answer that says nothing, such as \boxed{} or \boxed{$}, cannot be wrong in any better way.
    is_read = answer is not None and bool(bare_answer(answer))
    if is_read and is_equal(right, answer):
        return {"score": 1.0, "feedback": "", "incorrect_format": 0.0}
    feedback = texts.wrong_answer(excerpt(answer)) if is_read else _fault(solution_str, answer, forms)
    if not is_read and is_truncated(extra_info):
        feedback = f"{texts.CUT_OFF} {feedback}"
    if reveal_answer:
        feedback = texts.with_correct_answer(feedback, right)
    return {"score": 0.0, "feedback": feedback, "incorrect_format": float(not is_read)}


def read_answer(
    solution_str: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    answer_forms: Iterable[str] = DEFAULT_ANSWER_FORMS,
) -> str | None:
    """The final answer of a response without what is only form; None where it has none. 0.5 and 1/2 are two answers."""
    return bare_answer(_read_answer(solution_str, _checked_forms(answer_forms)) or "") or None


def check_ground_truth(ground_truth: Any, extra_info: Mapping[str, Any] | None = None) -> None:
    """Whether a row can be scored, whatever the response; `extra_info` does not matter.

    Raises:
        ValueError: the ground truth is neither a number nor LaTeX that can be compared.
    """
    _checked_answer(ground_truth)


def _checked_answer(ground_truth: Any) -> str:
    text = ground_truth.strip() if isinstance(ground_truth, str) else ""
    problem = "must be a number or LaTeX"
    if text and len(text) <= MAX_ANSWER_CHARS:
        problem = is_unreadable(text)
    elif text:
        problem = f"is longer than {MAX_ANSWER_CHARS} characters"
    if problem:
        shown = repr(ground_truth)[:80]
        raise ValueError(f"ground truth {shown} {problem}; correct the row's reward_model.ground_truth")
    return text


def _checked_forms(answer_forms: Iterable[str]) -> tuple[str, ...]:
    forms = (answer_forms,) if isinstance(answer_forms, str) else tuple(answer_forms)
    if not forms or not set(forms) <= set(ANSWER_FORMS):
        raise ValueError(f"answer_forms {[str(form) for form in forms]}: choose from {', '.join(ANSWER_FORMS)}")
    return forms


def _read_answer(solution: str, forms: tuple[str, ...]) -> str | None:
    # What a model thinks of on the way is no answer, unless it never came to one.
    text = solution.rpartition("</think>")[2]
    for form in forms:
        found = _READERS[form](text)
        if found is not None:
            return found
    return None


def _last_boxed(text: str) -> str | None:
    """What the last complete ``\\boxed{}`` encloses; escaped braces do not count. One pass, whatever is open."""
    starts = {match.end() - 1: match.end() for match in _BOX.finditer(text)}
    if not starts:
        return None
    opened: list[int] = []
    best = None
    for brace in _BRACE.finditer(text, min(starts)):
        if brace.group() == "{":
            opened.append(brace.start())
        elif brace.group() == "}" and opened:
            start = opened.pop()
            # Of boxes inside each other the outer one closes last, which makes it the answer.
            if start in starts:
                best = (starts[start], brace.start())
    return text[slice(*best)] if best else None


def _last_line(form: str, text: str) -> str | None:
    lines = _LINES[form].findall(text)
    return lines[-1].strip().removesuffix("**") if lines else None


_READERS = {
    "boxed": _last_boxed,
    "answer_line": lambda text: _last_line("answer_line", text),
    "hashes": lambda text: _last_line("hashes", text),
    "tags": lambda text: last_tagged(text, _TAG),
}


def _fault(solution: str, answer: str | None, forms: tuple[str, ...]) -> str:
    if answer is not None:
        problem = texts.EMPTY_ANSWER
    elif not solution.strip():
        problem = texts.EMPTY_RESPONSE
    elif "boxed" in forms and _BOX.search(solution):
        problem = texts.INCOMPLETE_BOX
    else:
        problem = texts.NO_FINAL_ANSWER
    # Naming one form is enough: prompts ask for one.
    return texts.missing_answer(problem, texts.MATH_PLACES[forms[0]])
