# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What can be said about a test-time run before Ray starts: its options, its questions, its folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
from omegaconf import DictConfig, ListConfig

from verl_sdpo.config.test_time import TestTimeConfig, test_time_faults
from verl_sdpo.preflight.fault import Fault, from_lines
from verl_sdpo.test_time.run_files import RunFiles


def start_faults(config: DictConfig) -> list[Fault]:
    """All that is wrong, one fault each. That files cannot be read is for the preflight of the data to say."""
    if lines := test_time_faults(config):
        return from_lines("config", lines)
    options = TestTimeConfig.of(config)
    return from_lines("config", _question_faults(config, options) + _folder_faults(config, options))


def identity_of(config: DictConfig, options: TestTimeConfig) -> dict[str, object]:
    """What all parts of one run have in common."""
    return {"method": options.method, "seed": config.trainer.seed, "budget": options.budget}


def _question_faults(config: DictConfig, options: TestTimeConfig) -> list[str]:
    given = config.data.train_files
    files = list(given) if isinstance(given, ListConfig) else [given]
    try:
        num_rows = sum(pyarrow.parquet.read_metadata(Path(file).expanduser()).num_rows for file in files)
    except (OSError, TypeError, pyarrow.ArrowInvalid):
        return []
    missing = [row for row in options.questions or () if row >= num_rows]
    if not missing:
        return []
    return [
        f"test_time.questions={missing[:5]} are not among the {num_rows} rows of data.train_files={files}: count from 0"
    ]


def _folder_faults(config: DictConfig, options: TestTimeConfig) -> list[str]:
    if not Path(options.output_dir).is_dir():
        return []
    try:
        RunFiles(Path(options.output_dir)).read_results(identity_of(config, options))
    except ValueError as error:
        return [str(error)]
    return []
