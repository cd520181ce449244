# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a person reads of the findings."""

from __future__ import annotations

from verl_sdpo.preflight.fault import EXIT_CODES, Findings


def report(findings: Findings) -> str:
    """A line for each: notes, warnings, then what is wrong, by area."""
    lines = [f"preflight: {note}" for note in findings.notes]
    ordered = sorted(findings.faults, key=lambda fault: (fault.is_fatal, list(EXIT_CODES).index(fault.area)))
    lines += [f"{fault.area} {'error' if fault.is_fatal else 'warning'}: {_one_line(str(fault))}" for fault in ordered]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())
