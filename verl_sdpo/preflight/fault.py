# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What an area of the preflight has to say: faults with place and remedy, and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# By area, in the order in which they decide: the exit status of a run with faults in several is the first one's. Not 1,
# which is Python's for an error that nobody caught and Hydra's for a configuration that it cannot read.
EXIT_CODES = {"config": 2, "data": 3, "sandbox": 4, "resume": 5, "reward": 6, "disk": 7}

MOST_SHOWN = 5


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. Where it is not fatal, the run can go on, and a reader of the log should know."""

    # One of EXIT_CODES.
    area: str
    # A key of the configuration, with file and row where it is about data.
    where: str
    # What is there and what was expected. May begin with `where`, as in `key=value is no number`.
    problem: str
    # What to do.
    remedy: str
    is_fatal: bool = True

    def __str__(self) -> str:
        start = "" if self.problem.startswith(self.where) else f"{self.where}: "
        return f"{start}{self.problem}; {self.remedy}"


@dataclass
class Findings:
    """What was found, in order."""

    faults: list[Fault] = field(default_factory=list)
    # What was examined, and what was not, for the log.
    notes: list[str] = field(default_factory=list)

    def __iadd__(self, other: Findings) -> Findings:
        self.faults += other.faults
        self.notes += other.notes
        return self

    def fatal(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.is_fatal]

    def exit_code(self) -> int:
        """0 where nothing is fatal, else that of the first area that has something."""
        areas = {fault.area for fault in self.fatal()}
        return next((code for area, code in EXIT_CODES.items() if area in areas), 0)


def from_lines(area: str, lines: Iterable[str], is_fatal: bool = True) -> list[Fault]:
    """Faults of the checks that say all in one line: `key=value problem: remedy`, or with a semicolon."""
    return [_from_line(area, line, is_fatal) for line in lines]


def _from_line(area: str, line: str, is_fatal: bool) -> Fault:
    key = re.match(r"[\w.]+(?==)", line)
    # The remedy is what follows the last colon or semicolon, as in "...: set it to True".
    cut = max(line.rfind(": "), line.rfind("; "))
    problem, remedy = (line[:cut], line[cut + 2 :]) if cut > 0 else (line, "correct it")
    return Fault(area, key[0] if key else problem.split(" ")[0], problem, remedy, is_fatal)


class Tally:
    """Faults of one kind among many rows: all counted, the first ones kept."""

    def __init__(self, area: str) -> None:
        self.area = area
        self.count = 0
        self.first: list[Fault] = []

    def add(self, where: str, problem: str, remedy: str) -> None:
        self.count += 1
        if len(self.first) < MOST_SHOWN:
            self.first.append(Fault(self.area, where, problem, remedy))
