# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The tests of programming problems as a dataset writes them. ``verl_sdpo/rewards/code_truth.py`` is the specification.

What is not as specified is refused as the fault of a record, under a reason that can be counted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from data_preprocess.dataset import Refused
from verl_sdpo.rewards.code_truth import MAX_MIB, CodeTest, TruthFault, decoded_truth, is_positive, truth_text

__all__ = ["MAX_MIB", "CodeTest", "code_ground_truth", "read_code_ground_truth", "seconds_or_mib"]


def code_ground_truth(kind: str, tests: Iterable[CodeTest], **fields: Any) -> str:
    """The ground truth's text; ``fields`` are the other arguments of ``truth_text``.

    Raises:
        Refused: which field is not as specified, or that the whole is too large.
    """
    try:
        return truth_text(kind, tests, **fields)
    except TruthFault as fault:
        raise Refused(str(fault), fault.kind) from fault


def read_code_ground_truth(text: str) -> dict[str, Any]:
    """The object behind a ground truth, checked against the specification.

    Raises:
        Refused: which field is not as specified.
    """
    try:
        return decoded_truth(text)
    except TruthFault as fault:
        raise Refused(str(fault), fault.kind) from fault


def seconds_or_mib(record: Mapping[str, Any], name: str) -> float | None:
    """The limit in ``record[name]``; None where the source has none.

    Raises:
        Refused: it is no number above 0.
    """
    value = record.get(name)
    if value is not None and not is_positive(value):
        raise Refused(f"{name!r} must be a number above 0, is {value!r}", f"{name!r} is no number above 0")
    return value
