# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a test-time run leaves: every attempt, every verdict, the results; and what a killed one goes on from.

- `attempts.jsonl`: a line a generation, on the disk before it is scored
- `verdicts.jsonl`: a line a verdict, on the disk as soon as it is there
- `results.json`: the questions that are over; replaced as a whole
- `spent.jsonl`: a line a step, what the run had cost by its end
- `dropped.jsonl`: lines that a run which goes on took out of the first two, since it makes these attempts again
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.durable import sync_folder, write_whole
from verl_sdpo.test_time.turns import Turn

ATTEMPTS, VERDICTS, RESULTS, DROPPED = "attempts.jsonl", "verdicts.jsonl", "results.json", "dropped.jsonl"
SPENT = "spent.jsonl"
# What two parts of one run have in common.
IDENTITY = ("method", "seed", "budget")


class RunFiles:
    """The files of a run in a folder, which is made where it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    def write_attempt(self, question: str, attempt: int, step: int, response: str, **more: Any) -> None:
        """One generation, before anybody has looked at it. On the disk when this returns."""
        record = {"question": question, "attempt": attempt, "step": step, "response": response}
        self._append(ATTEMPTS, [record | more])

    def write_verdict(self, question: str, turn: Turn) -> None:
        """What was said about it. On the disk when this returns."""
        self._append(VERDICTS, [verdict_line(question, turn)])

    def write_spent(self, step: int, spent: Mapping[str, Any]) -> None:
        """What the run has cost up to this step's end, `Budget.state_dict()`. On the disk when this returns."""
        self._append(SPENT, [{"step": step} | dict(spent)])

    def write_results(self, identity: Mapping[str, Any], questions: Mapping[str, Mapping[str, Any]]) -> None:
        """All questions that are over."""
        text = json.dumps(dict(identity) | {"questions": dict(questions)}, indent=1)
        write_whole(self._folder / RESULTS, text + "\n")

    def read_results(self, identity: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The questions that are over, in this run's folder.

        Raises:
            ValueError: the folder holds a run of another method, seed or budget.
        """
        path = self._folder / RESULTS
        if not path.exists():
            return {}
        results = json.loads(path.read_text(encoding="utf-8"))
        for key in IDENTITY:
            if results[key] != identity[key]:
                raise ValueError(
                    f"test_time.output_dir={str(self._folder)!r} holds a run with {key}={results[key]!r}, not "
                    f"{identity[key]!r}: set another folder, or {key} as it was"
                )
        return results["questions"]

    def read_turns(self) -> dict[str, list[Turn]]:
        """By question the attempts that have a verdict, up to the first that has none.

        An attempt without a verdict was lost in a kill. What was made beside it and came back before it would be out of
        order: whether the lost one had been the first success is not known.
        """
        attempts = {(line["question"], line["attempt"]): line for line in self._lines(ATTEMPTS)}
        verdicts = {(line["question"], line["attempt"]): line for line in self._lines(VERDICTS)}
        turns: dict[str, list[Turn]] = {}
        for question in dict.fromkeys(question for question, _ in attempts):
            turns[question] = found = []
            while (key := (question, len(found) + 1)) in attempts and key in verdicts:
                found.append(_turn(attempts[key], verdicts[key]))
        return turns

    def keep(self, kept: Mapping[str, int]) -> int:
        """Drop each question's attempts with numbers above `kept` (0 where it has none); returns how many.

        They go to `dropped.jsonl` first. A kill in the midst of this leaves a folder of which the same can be asked.
        """
        self._take_half_lines_off()
        dropped = 0
        for name in (VERDICTS, ATTEMPTS):
            lines = self._lines(name)
            rest = [line for line in lines if line["attempt"] <= kept.get(line["question"], 0)]
            if len(rest) == len(lines):
                continue
            gone = [line for line in lines if line["attempt"] > kept.get(line["question"], 0)]
            self._append(DROPPED, gone)
            write_whole(self._folder / name, "".join(json.dumps(line) + "\n" for line in rest))
            dropped = len(gone)
        self._keep_spent()
        return dropped

    def read_spent(self) -> dict[str, Any] | None:
        """The last step of which attempts are kept, and what they have cost; after `keep`.

        Returns:
            `step`, `generations` and, as far as a step's end was seen, the other values of `Budget.state_dict()`. A
            step that was killed has its kept attempts among the generations; its time is not known. None: no attempts.
        """
        steps = self._steps()
        if not steps:
            return None
        spent = next(reversed(self._lines(SPENT)), {"step": 0, "generations": 0})
        later = sum(step > spent["step"] for step in steps)
        return spent | {"step": max(steps), "generations": spent["generations"] + later}

    def _keep_spent(self) -> None:
        """Steps that are made again count once."""
        lines, last = self._lines(SPENT), max(self._steps(), default=0)
        rest = [line for line in lines if line["step"] <= last]
        if len(rest) < len(lines):
            write_whole(self._folder / SPENT, "".join(json.dumps(line) + "\n" for line in rest))

    def _steps(self) -> list[int]:
        """Of each attempt."""
        return [line["step"] for line in self._lines(ATTEMPTS)]

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self._folder / name
        if not path.exists():
            return []
        # A kill may have left half a line at the end.
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines() if line]

    def _append(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        path = self._folder / name
        is_new = not path.exists()
        with path.open("ab") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records).encode())
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self._folder)

    def _take_half_lines_off(self) -> None:
        for name in (ATTEMPTS, VERDICTS, DROPPED, SPENT):
            path = self._folder / name
            content = path.read_bytes() if path.exists() else b""
            if content and not content.endswith(b"\n"):
                write_whole(path, content[: content.rfind(b"\n") + 1].decode())


def verdict_line(question: str, turn: Turn) -> dict[str, Any]:
    """The line of `verdicts.jsonl`."""
    return {
        "question": question,
        "attempt": turn.attempt,
        "score": turn.score,
        "success": turn.success,
        "feedback": turn.feedback,
        "judged": turn.judged,
    }


def _turn(attempt: Mapping[str, Any], verdict: Mapping[str, Any]) -> Turn:
    return Turn(
        attempt["attempt"],
        attempt["response"],
        verdict["score"],
        verdict["success"],
        verdict["feedback"],
        verdict["judged"],
    )
