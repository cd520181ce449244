# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Multiple choice with two to ten options: is the letter that the response settles on the right one?

The published prompts ask for ``<answer>`` tags around one letter. The last complete pair of tags decides; without any,
the last ``\\boxed{}``. A letter anywhere else is no answer unless that is asked for.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from verl_sdpo.rewards import feedback_texts as texts
from verl_sdpo.rewards.outcome import excerpt, is_truncated, last_tagged, row_details

LETTERS = "ABCDEFGHIJ"
ANSWER_FORMS = ("tags", "boxed", "letter")
DEFAULT_ANSWER_FORMS = ("tags", "boxed")

_TAG = re.compile(r"<(/?)\s*answer\s*>", re.IGNORECASE)
# A box and braces one level deeper, bounded so that hostile text costs no more than its length.
_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\}){0,256})\}")
_LATEX = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf)\s*\{(.*)\}", re.DOTALL)
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"), ("**", "**"), ("*", "*"), ("`", "`"), ("$", "$"), ('"', '"'), ("'", "'"))
# One letter needs few characters even when it is boxed, bold and in brackets.
_MAX_ANSWER_CHARS = 64


class _Answer(NamedTuple):
    letter: str  # upper case; "" where there is none to compare
    fault: str  # what is wrong with the form, "" where nothing is


def compute_score(
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reveal_answer: bool = False,
    tell_wrong: bool = True,
    answer_forms: Iterable[str] = DEFAULT_ANSWER_FORMS,
) -> dict[str, Any]:
    """Score 1 for the right letter in an accepted form, else 0 with feedback.

    Args:
        solution_str: the response.
        ground_truth: the right option's letter, A to J.
        extra_info: ``details`` may hold ``{"options": "ABCD"}``; without it any letter from A to J is an option.
        reveal_answer: end the feedback with the right letter. Off: an environment that does not hand out answers.
        tell_wrong: say that a letter is wrong. Off: feedback names faults of the form only. With two options, knowing
            that one is wrong is knowing the right one.
        answer_forms: which of ``tags``, ``boxed`` and ``letter`` (nothing but the letter) count, ``("tags",)`` being
            what the published prompts ask for.

    Returns:
        ``score``, ``feedback``, ``incorrect_format`` (1.0 where no option could be read in an accepted form).

    Raises:
        ValueError: the ground truth, the options or an answer form is not what it should be.
    """
    forms = _checked_forms(answer_forms)
    options = _options(extra_info)
    right = _checked_letter(ground_truth, options)
    answer = _read_answer(solution_str, options, forms)
    if answer.letter == right:
        return {"score": 1.0, "feedback": "", "incorrect_format": 0.0}
    feedback = answer.fault
    if answer.letter and tell_wrong:
        feedback = texts.wrong_letter(answer.letter)
    if not answer.letter and is_truncated(extra_info):
        feedback = f"{texts.CUT_OFF} {feedback}"
    if reveal_answer:
        feedback = texts.with_correct_answer(feedback, right).strip()
    return {"score": 0.0, "feedback": feedback, "incorrect_format": float(not answer.letter)}


def read_answer(
    solution_str: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    answer_forms: Iterable[str] = DEFAULT_ANSWER_FORMS,
) -> str | None:
    """The letter that a response settles on, right or wrong; None where it names no option in an accepted form."""
    return _read_answer(solution_str, _options(extra_info), _checked_forms(answer_forms)).letter or None


def _checked_forms(answer_forms: Iterable[str]) -> frozenset[str]:
    forms = frozenset((answer_forms,) if isinstance(answer_forms, str) else answer_forms)
    if not forms or not forms <= set(ANSWER_FORMS):
        raise ValueError(f"answer_forms {sorted(map(str, forms))}: choose one or more of {', '.join(ANSWER_FORMS)}")
    return forms


def check_ground_truth(ground_truth: Any, extra_info: Mapping[str, Any] | None = None) -> None:
    """Whether a row can be scored, whatever the response.

    Raises:
        ValueError: the options are none, or the ground truth is none of their letters.
    """
    _checked_letter(ground_truth, _options(extra_info))


def _options(extra_info: Mapping[str, Any] | None) -> str:
    options = row_details(extra_info).get("options")
    if options is None:
        return LETTERS
    if not isinstance(options, str) or not 2 <= len(options) <= len(LETTERS) or not LETTERS.startswith(options):
        raise ValueError(f"options {options!r} in extra_info.details must be 2 to 10 letters from A on, e.g. 'ABCD'")
    return options


def _checked_letter(ground_truth: Any, options: str) -> str:
    letter = ground_truth.strip().upper() if isinstance(ground_truth, str) else ""
    if len(letter) != 1 or letter not in options:
        raise ValueError(
            f"ground truth {ground_truth!r} must be one of the letters {', '.join(options)}; correct the row's "
            "reward_model.ground_truth"
        )
    return letter


def _read_answer(solution: str, options: str, forms: frozenset[str]) -> _Answer:
    """The answer in the first accepted form that the response uses, in the order tags, box, letter alone."""
    tagged = last_tagged(solution, _TAG) if "tags" in forms else None
    if tagged is not None:
        return _as_option(tagged, options, texts.TAGGED_TEXT)
    boxed = _last_boxed(solution) if "boxed" in forms else None
    if boxed is not None:
        return _as_option(boxed, options, texts.BOXED_TEXT)
    is_plain = "letter" in forms and "\\boxed" not in solution
    letter = _single_letter(solution) if is_plain else ""
    if letter and letter in options:
        return _Answer(letter, "")
    return _Answer("", _missing_answer(solution, options, forms))


def _as_option(text: str, options: str, place: str) -> _Answer:
    letter = _single_letter(text)
    if letter and letter in options:
        return _Answer(letter, "")
    return _Answer("", texts.not_one_letter(place, _one_of(options), excerpt(text) if text.strip() else ""))


def _missing_answer(solution: str, options: str, forms: frozenset[str]) -> str:
    if not solution.strip():
        problem = texts.EMPTY_RESPONSE
    elif "tags" in forms and _TAG.search(solution):
        problem = texts.INCOMPLETE_TAGS
    else:
        problem = texts.NO_ANSWER_IN_FORM
    # The prompts ask for one form; naming the others would only confuse.
    place = next(texts.CHOICE_PLACES[form] for form in ANSWER_FORMS if form in forms)
    return texts.missing_letter(problem, _one_of(options), place)


def _one_of(options: str) -> str:
    # A row that does not say how many options it has knows the upper bound only, which is no list to show.
    return texts.ANY_LETTER if options == LETTERS else texts.one_letter_of(options)


def _last_boxed(text: str) -> str | None:
    """What the last complete ``\\boxed{}`` encloses."""
    contents = _BOX.findall(text)
    return contents[-1] if contents else None


def _single_letter(text: str) -> str:
    """The letter that ``text`` is, freed of white space, brackets, quotes, emphasis, LaTeX and a mark after it."""
    text = text.strip()
    if len(text) > _MAX_ANSWER_CHARS:
        return ""
    while len(text) > 1:
        bare = _unwrapped(text).strip()
        if bare == text:
            return ""
        text = bare
    return text.upper() if text.isascii() and text.isalpha() else ""


def _unwrapped(text: str) -> str:
    if latex := _LATEX.fullmatch(text):
        return latex.group(1)
    for opening, closing in _PAIRS:
        if len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
            return text[len(opening) : -len(closing)]
    return text[:-1] if text[-1] in ".:)" else text
