# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a dataset's rows before training: how many are read, dropped, or too long.

verl drops long prompts with a line on the console (`data.filter_overlong_prompts`), and without that filter its agent
loop cuts them from the left, one warning at a time. Here both are counted at the start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet

from verl_sdpo.trainer.prompt_renderer import PromptRenderer

logger = logging.getLogger(__name__)

# Rendering takes about a millisecond a prompt; of a larger dataset the first rows are looked at.
MAX_ROWS_MEASURED = 20_000


@dataclass(frozen=True)
class RowReport:
    """Counts of rows of one split."""

    split: str
    # In the files; None where they are not parquet, whose footer says so.
    in_files: int | None
    kept: int
    measured: int
    overlong: int
    max_prompt_length: int

    @property
    def dropped(self) -> int:
        return 0 if self.in_files is None else self.in_files - self.kept

    def metrics(self) -> dict[str, int]:
        counts = {"rows": self.kept, "rows_dropped": self.dropped, "prompts_overlong": self.overlong}
        return {f"data/{self.split}_{name}": count for name, count in counts.items()}

    def __str__(self) -> str:
        in_files = "" if self.in_files is None else f" of {self.in_files} in the files"
        measured = "" if self.measured == self.kept else f" (of the first {self.measured})"
        return (
            f"{self.split}: {self.kept} rows{in_files}, {self.dropped} dropped; {self.overlong}{measured} longer than "
            f"data.max_prompt_length={self.max_prompt_length}"
        )


def report_rows(split: str, dataset: Any, render_prompt: PromptRenderer, max_prompt_length: int) -> RowReport:
    """Count the rows of a verl dataset, and log the result: as a warning where a row was dropped or will be cut."""
    files = list(dataset.data_files)
    are_parquet = all(str(path).endswith(".parquet") for path in files)
    in_files = sum(pyarrow.parquet.read_metadata(path).num_rows for path in files) if are_parquet else None
    measured = min(len(dataset), MAX_ROWS_MEASURED)
    rows = (dataset[index] for index in range(measured))
    overlong = sum(len(render_prompt(row["raw_prompt"], row.get("extra_info"))) > max_prompt_length for row in rows)
    report = RowReport(split, in_files, len(dataset), measured, overlong, max_prompt_length)
    is_clean = report.dropped == 0 and report.overlong == 0
    logger.log(logging.INFO if is_clean else logging.WARNING, "%s", report)
    return report
