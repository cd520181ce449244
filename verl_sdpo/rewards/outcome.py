# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a reward returns: the same fields for every dataset, with values that verl can store and log.

verl 0.9.1 takes the field names from the first sample of a batch and looks them up in all the others
(``verl/experimental/reward_loop/reward_loop.py``, ``verl/experimental/agent_loop/agent_loop.py``), and turns texts into
one fixed-width array, which drops NULs at the end of a text. So the fields are fixed and the texts are cleaned here.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

# The last two say that there is no verdict, and that the response is not to blame; the feedback may then say why,
# for the log: training leaves such samples out.
NO_VERDICT_FIELDS = ("sandbox_error", "bad_test")
OUTCOME_FIELDS = ("score", "acc", "feedback", "incorrect_format", "truncated", "timed_out", *NO_VERDICT_FIELDS)
_OPTIONAL_FIELDS = frozenset(OUTCOME_FIELDS) - {"score", "truncated"}
# A fixed-width array costs 4 bytes a character of its longest text for every sample of the batch.
MAX_FEEDBACK_CHARS = 20_000
_GAP = "\n[...]\n"


def complete_outcome(raw: Mapping[str, Any], extra_info: Mapping[str, Any] | None, reward_name: str) -> dict[str, Any]:
    """The fixed fields from what one reward returned.

    Args:
        raw: ``score`` and any of ``acc`` (1.0 where the score is at least 1, unless given), ``feedback``,
            ``incorrect_format``, ``timed_out``, ``sandbox_error``, ``bad_test``.
        extra_info: the row's; its ``truncated``, where there is one, says whether the response was cut off.
        reward_name: for messages.

    Returns:
        ``OUTCOME_FIELDS`` in order: floats, and ``feedback`` as text, empty where ``acc`` is 1.

    Raises:
        ValueError: a field is unknown, or the score is missing or not finite: a fault of the reward's own code.
    """
    unknown = sorted(set(raw) - set(OUTCOME_FIELDS))
    if unknown or "score" not in raw:
        raise ValueError(
            f"reward {reward_name!r} returned fields {sorted(raw)}: 'score' is needed, "
            f"{sorted(_OPTIONAL_FIELDS)} may be given, and nothing else, so that all samples of a batch agree"
        )
    score = float(raw["score"])
    if not math.isfinite(score):
        raise ValueError(f"reward {reward_name!r} returned score {score}: must be finite")
    acc = float(raw.get("acc", score >= 1.0))
    return {
        "score": score,
        "acc": acc,
        # A right answer has no fault to describe, and its feedback would reach the teacher as one.
        "feedback": "" if acc >= 1.0 else clean_text(raw.get("feedback", "")),
        "incorrect_format": float(raw.get("incorrect_format", 0.0)),
        "truncated": float(is_truncated(extra_info)),
        "timed_out": float(raw.get("timed_out", 0.0)),
        **{name: float(raw.get(name, 0.0)) for name in NO_VERDICT_FIELDS},
    }


def is_truncated(extra_info: Mapping[str, Any] | None) -> bool:
    """Whether the response reached the length limit, as far as ``extra_info["truncated"]`` tells; else False."""
    return bool(extra_info.get("truncated")) if extra_info else False


def row_details(extra_info: Mapping[str, Any] | None) -> dict[str, Any]:
    """The dataset's own facts about a row, from the JSON text in ``extra_info["details"]``; empty where there is none.

    Raises:
        ValueError: ``details`` is not the JSON text of an object.
    """
    details = extra_info.get("details") if extra_info else None
    if details is None:
        return {}
    try:
        value = json.loads(details)
    except (TypeError, ValueError) as error:
        raise ValueError(f"extra_info['details'] is not JSON text: {str(details)[:80]!r}; rebuild the row") from error
    if not isinstance(value, dict):
        raise ValueError(f"extra_info['details'] must be a JSON object, is {str(details)[:80]!r}; rebuild the row")
    return value


def last_tagged(text: str, tags: re.Pattern[str]) -> str | None:
    """What the last complete pair of tags encloses, the opening tag being the nearest one before the closing tag.

    Args:
        text: a response.
        tags: finds both tags; its first group is empty in the opening one.
    """
    content, opened_at = None, None
    for tag in tags.finditer(text):
        if not tag.group(1):
            opened_at = tag.end()
        elif opened_at is not None:
            content, opened_at = text[opened_at : tag.start()], None
    return content


def clean_text(text: str) -> str:
    """Text that survives arrays, JSON and UTF-8: unpaired surrogates and NULs replaced, the middle of long text cut."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= MAX_FEEDBACK_CHARS:
        return text
    half = (MAX_FEEDBACK_CHARS - len(_GAP)) // 2
    return text[:half] + _GAP + text[-half:]


def excerpt(text: str, max_chars: int = 60) -> str:
    """A short one-line quotation of the model's text."""
    line = " ".join(text[: 4 * max_chars].split())
    return line if len(line) <= max_chars and len(text) <= 4 * max_chars else line[:max_chars] + "..."
