# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A few questions of our own in the published datasets' schemas, for runs that only try the machinery.

`python -m recipe.smoke_records --dataset sciknoweval --output DIR` writes what that dataset's command reads
(docs/data.md); so `tooluse` and `livecodebench`.
"""

from __future__ import annotations

import argparse
import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

NUM_TRAIN, NUM_TEST = 12, 4
_SYSTEM = "\nChoose the right answer. Respond in the format\n<reasoning>\n...\n</reasoning>\n<answer>\n...\n</answer>\n"
# Names of the files that the datasets' commands look for.
_TRAIN, _TEST, _PROBLEMS = "train.json", "test.json", "test6.jsonl"

Record = dict[str, Any]


def sciknoweval_record(index: int) -> Record:
    """Which of four numbers is a sum?"""
    first, second, place = index + 2, index + 3, index % 4
    options = [first + second + offset for offset in range(-place, 4 - place)]
    lines = "\n".join(f"{letter}: {number}" for letter, number in zip("ABCD", options, strict=True))
    return {
        "idx": index,
        "prompt": f"What is {first} plus {second}?\n\n{lines}\nPlease reason step by step.",
        "answer": "ABCD"[place],
        "system": _SYSTEM,
    }


def tooluse_record(index: int) -> Record:
    """One call of one tool."""
    question = f"Use the tool getWeather(city) to answer.\nBegin!\nQuestion: what is the weather in town {index}?"
    calls = [{"Action": "getWeather", "Action_Input": json.dumps({"city": f"town {index}"})}]
    return {"idx": index, "prompt": question, "answer": json.dumps(calls), "system": "None"}


def livecodebench_record(index: int) -> Record:
    """A program that adds a constant to each number it reads."""

    def test(number: int) -> Record:
        return {"input": f"{number}\n", "output": f"{number + index}\n", "testtype": "stdin"}

    task = f"Read a whole number and print it plus {index}."
    private = json.dumps([test(number) for number in range(4)])
    return {
        "question_title": f"Add {index}",
        "question_content": f"{task}\n\nSample Input\n\n7\n\nSample Output\n\n{7 + index}\n",
        "platform": "atcoder",
        "question_id": f"smoke_{index}",
        "contest_id": "smoke",
        "contest_date": "2025-02-01T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([test(7)]),
        # As the source has them.
        "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(private))).decode(),
        "metadata": "{}",
    }


def write_records(dataset: str, folder: Path) -> None:
    """The files of one dataset."""
    if dataset == "livecodebench":
        files = {_PROBLEMS: (livecodebench_record, range(NUM_TRAIN))}
    else:
        make = {"sciknoweval": sciknoweval_record, "tooluse": tooluse_record}[dataset]
        files = {_TRAIN: (make, range(NUM_TRAIN)), _TEST: (make, range(NUM_TRAIN, NUM_TRAIN + NUM_TEST))}
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, indices) in files.items():
        (folder / name).write_text("".join(json.dumps(make(index)) + "\n" for index in indices), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=["sciknoweval", "tooluse", "livecodebench"], required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    write_records(arguments.dataset, arguments.output)


if __name__ == "__main__":
    main()
