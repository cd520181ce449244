# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Write the demonstration's questions: `python -m recipe.test_time.code_data --output FILE --seed 0 --questions 8`.

Use the base model's seed. The rows are the first questions of the task, unlooked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from recipe.test_time import code_task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--questions", type=int, default=8)
    arguments = parser.parse_args()
    rows = [
        make_row(
            data_source=code_task.DATA_SOURCE,
            prompt=chat_prompt(item.question),
            ground_truth=item.code,
            ability="hidden code",
            split="train",
            index=index,
        )
        for index, item in enumerate(code_task.items(arguments.seed)[: arguments.questions])
    ]
    write_parquet(rows, arguments.output)
    print(f"  {arguments.output}: {len(rows)} questions")


if __name__ == "__main__":
    main()
