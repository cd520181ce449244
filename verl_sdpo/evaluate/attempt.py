# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One response with its verdict: the row of `responses.parquet`, and what every number is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """The fields are the columns of the file; docs/evaluate.md has them as a table."""

    # Number of the question among all that were asked, from 0, and of the attempt among the question's, from 0.
    question: int
    attempt: int
    file: str
    # Of the file, from 0.
    row: int
    data_source: str
    # Without special tokens.
    response: str
    # With the end of turn, as verl counts.
    num_tokens: int
    # Whether it was cut off at the length limit.
    truncated: bool
    # Why there is no verdict; None: there is one.
    no_verdict: str | None = None
    score: float | None = None
    acc: float | None = None
    # What it votes for; None: nothing.
    answer: str | None = None
    feedback: str = ""
