# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows per second and peak memory of turning a JSON lines file into the row schema's parquet.

`python scripts/bench_data.py [--rows 10000 ...] [--repeats 3] [--json FILE]` prints a Markdown table. The rows are
generated once, two-option questions of about 600 characters; every side reads the same file in a process of its own:

* datasets: `load_dataset("json")`, `map` to the row schema, `to_parquet` with its own compression; nothing is checked.
* writer: the same function on each line, rows to our writer; nothing is checked.
* command: `python -m data_preprocess.generic` without the reward: every row checked, repeated and shared questions
  looked for, fingerprint and table.
* command with reward: the same, every row's right and wrong answer scored too.

Seconds are the least of the repeats and leave out imports; processor: the process's own, all threads, for machines that
are not idle. Memory is the growth of the peak resident size over what the
process has after its imports; pages of files that datasets has mapped count, though the system may take them back.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peak_memory import peak_bytes, reset_peak

WORDS = "which gas metal acid cell wave of in under has most least mass charge energy rate the a".split()
COLUMNS = ["--prompt-column", "question", "--answer-column", "answer", "--id-column", "id"]
DATA_SOURCE = "multiple_choice/bench"


def generate(path: Path, num_rows: int) -> None:
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for row in range(num_rows):
            words = " ".join(chance.choices(WORDS, k=100))
            question = f"Question {row}: {words}?\n\nA: {chance.random()}\nB: {chance.random()}"
            file.write(json.dumps({"question": question, "answer": chance.choice("AB"), "id": f"q{row}"}) + "\n")


def to_row(record: dict[str, Any], index: int) -> dict[str, Any]:
    from data_preprocess.schema import chat_prompt, make_row

    return make_row(
        data_source=DATA_SOURCE,
        prompt=chat_prompt(record["question"]),
        ground_truth=record["answer"],
        ability="generic",
        split="train",
        index=index,
        source_id=record["id"],
    )


def with_datasets(source: Path, output: Path) -> Callable[[], None]:
    import datasets

    datasets.disable_progress_bars()

    def run() -> None:
        found = datasets.load_dataset("json", data_files=str(source), split="train", cache_dir=str(output / "cache"))
        rows = found.map(to_row, with_indices=True, remove_columns=found.column_names)
        rows.to_parquet(str(output / "train.parquet"))

    return run


def with_writer(source: Path, output: Path) -> Callable[[], None]:
    from data_preprocess.records import read_records
    from data_preprocess.writer import Outputs

    def run() -> None:
        with Outputs(output) as outputs:
            writer = outputs.open("train.parquet", "generated")
            for record in read_records(source):
                writer.write(to_row(record.value, record.row))
            outputs.commit()

    return run


def with_command(source: Path, output: Path, *more: str) -> Callable[[], None]:
    from data_preprocess import generic

    arguments = ["--input", str(source), "--output", str(output), "--split", "train", *COLUMNS, *more]

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            assert generic.main([*arguments, "--data-source", DATA_SOURCE]) == 0

    return run


SIDES: dict[str, Callable[[Path, Path], Callable[[], None]]] = {
    "datasets": with_datasets,
    "writer": with_writer,
    "command": lambda source, output: with_command(source, output, "--no-check-reward"),
    "command with reward": with_command,
}


def in_this_process(name: str, source: str, output: str) -> dict[str, float]:
    run = SIDES[name](Path(source), Path(output))
    before = reset_peak("cpu")
    start, processor = time.perf_counter(), time.process_time()
    run()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    size = (Path(output) / "train.parquet").stat().st_size
    return {"seconds": seconds, "processor": processor, "bytes": peak_bytes("cpu") - before, "file": size}


def in_processes(name: str, source: Path, folder: Path, repeats: int) -> dict[str, float]:
    """The least time and the largest peak."""
    found = []
    for repeat in range(repeats):
        output = folder / f"{name}{repeat}"
        output.mkdir()
        request = json.dumps([name, str(source), str(output)])
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        command = [sys.executable, __file__, "--one", request]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        found.append(json.loads(done.stdout.splitlines()[-1]))
        shutil.rmtree(output)
    return {
        "seconds": min(each["seconds"] for each in found),
        "processor": min(each["processor"] for each in found),
        "bytes": max(each["bytes"] for each in found),
        "file": found[0]["file"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**6])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(in_this_process(*json.loads(options.one))))
        return
    figures = []
    print("| rows | side | seconds | processor | rows per second | of datasets | memory (MB) | of datasets | file |")
    print("|---|---|---|---|---|---|---|---|---|")
    for num_rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            source = Path(name) / "train.jsonl"
            generate(source, num_rows)
            base = None
            for side in SIDES:
                found = in_processes(side, source, Path(name), options.repeats)
                base = base or found
                figures.append({"rows": num_rows, "side": side} | found)
                print(
                    f"| {num_rows:,} | {side} | {found['seconds']:.2f} | {found['processor']:.2f} "
                    f"| {num_rows / found['seconds']:,.0f} | {base['seconds'] / found['seconds']:.2f} "
                    f"| {found['bytes'] / 2**20:.0f} | {found['bytes'] / base['bytes']:.2f} "
                    f"| {found['file'] / 2**20:.1f} |",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
