# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Responses on the disk before anybody judges them: they have taken hours, and a reward is anybody's code.

`responses_unjudged.parquet` has the columns of `responses.parquet` that no verdict is needed for, and in its metadata
what the responses depend on. The next start judges them, if it asks for the same; the results take the file's place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verl_sdpo.checkpoint.durable import files_below
from verl_sdpo.evaluate.attempt import Attempt
from verl_sdpo.evaluate.fault import EvaluateError, one_line
from verl_sdpo.evaluate.write import RESPONSES, RESULTS, write_table

if TYPE_CHECKING:
    from verl_sdpo.evaluate.generate import Sampling
    from verl_sdpo.evaluate.model import Source
    from verl_sdpo.evaluate.questions import Question

UNJUDGED = "responses_unjudged.parquet"
_METADATA = "verl_sdpo.evaluation"
# In the metadata beside what has to be the same.
_VERSIONS = "versions"
# What a verdict says has a default.
_COLUMNS = tuple(field.name for field in fields(Attempt) if field.default is MISSING)


def what_responses_depend_on(
    source: Source, sampling: Sampling, token_ids: Sequence[Sequence[int]], output: Path
) -> dict[str, Any]:
    """The model and its files, how responses are drawn, the prompts as tokens.

    Not the reward, nor what rows have for it: both may be mended before the next start. Nor what is in the output's
    folder, which may lie in the model's.
    """
    folder = source.folder if source.checkpoint is None else source.checkpoint
    files = [] if folder is None else [file for file in files_below(folder) if not _is_below(file, output)]
    stats = {str(file.relative_to(folder)): file.stat() for file in files}
    return {
        "model": source.describe(),
        "model_files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()},
        "sampling": asdict(sampling),
        "prompts": hashlib.sha256(json.dumps([list(prompt) for prompt in token_ids]).encode()).hexdigest(),
    }


def write_unjudged(
    folder: Path, depends_on: Mapping[str, Any], versions: Mapping[str, str], attempts: Sequence[Attempt]
) -> None:
    """Whole or not at all.

    Raises:
        OSError: it could not be written.
    """
    metadata = {_METADATA: json.dumps({**depends_on, _VERSIONS: dict(versions)})}
    write_table(folder / UNJUDGED, attempts, _COLUMNS, metadata)


def read_unjudged(
    folder: Path, depends_on: Mapping[str, Any], questions: Sequence[Question]
) -> tuple[list[Attempt], dict[str, str]] | None:
    """Responses of an earlier start, without verdicts, and the versions that made them; None where there are none.

    Raises:
        EvaluateError: they are to something else, or the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / UNJUDGED
    if not path.exists():
        return None
    try:
        table = pq.read_table(path)
        told = json.loads(table.schema.metadata[_METADATA.encode()])
    except (pa.ArrowException, OSError, TypeError, KeyError, ValueError) as error:
        raise EvaluateError(f"--output: {path} cannot be read ({one_line(error)}): delete it") from error
    if differing := [key for key, value in depends_on.items() if told.get(key) != value]:
        raise EvaluateError(
            f"--output={folder} has {UNJUDGED} of another evaluation ({', '.join(differing)}): delete it, or name "
            "another folder"
        )
    # The rows may have been mended: only what the model said is taken from the file.
    attempts = [
        replace(attempt, file=question.file, row=question.row, data_source=question.data_source)
        for attempt in (Attempt(**row) for row in table.to_pylist())
        for question in [questions[attempt.question]]
    ]
    return attempts, told[_VERSIONS]


def _is_below(file: Path, output: Path) -> bool:
    """Whether the evaluation may have written it; beside the model's own files it has these names only."""
    if file.resolve().parent == output.resolve():
        return file.name in (UNJUDGED, RESPONSES, RESULTS)
    return output.resolve() in file.resolve().parents
