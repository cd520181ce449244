# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What must be the same when a run is resumed: model, data, template, teacher, number of ranks.

A fact is a flat dictionary of plain values. What one side does not know is not compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.manifest import CheckpointError

# The names that trainer.resume_accept_changes takes, and what each stands for.
ACCEPTABLE = {
    "model": "the base model and its tokenizer",
    "data": "the training files, their order and the size of a batch: the position in the data means something else",
    "template": "the chat template, and the texts that the teacher's prompt is made of",
    "teacher": "what the teacher's weights are and how they follow the student's",
    "ranks": "the number of devices: every rank's files are cut anew for it (`verl_sdpo.checkpoint.reshard`)",
}
# The one change that costs something: another checkpoint's room, and the time to write it.
RANKS = "ranks"

Facts = Mapping[str, Mapping[str, Any]]
_SAMPLE = 1 << 16
# Of a model's config.json: who wrote it, not what the model is.
_NOT_OF_THE_MODEL = ("_name_or_path", "transformers_version")


class ChangedFactsError(CheckpointError):
    """The run is another one than the checkpoint's."""


def accept_faults(names: object) -> list[str]:
    """What is wrong with a value of `trainer.resume_accept_changes`."""
    key = "trainer.resume_accept_changes"
    choices = ", ".join(ACCEPTABLE)
    if isinstance(names, str) or not isinstance(names, Sequence):
        return [f"{key}={names!r} is no list: write a list of {choices}"]
    if unknown := [name for name in names if name not in ACCEPTABLE]:
        return [f"{key}={names!r} has {', '.join(map(repr, unknown))}, which is not known: choose of {choices}"]
    return []


def changes(saved: Facts, now: Facts) -> dict[str, list[str]]:
    """By fact, what differs: one line an entry, with both values."""
    found = {}
    for fact in saved.keys() & now.keys():
        before, after = saved[fact], now[fact]
        # As JSON has them: a tuple comes back as a list.
        lines = [
            f"{fact}.{entry}: {_short(before[entry])} in the checkpoint, {_short(after[entry])} now"
            for entry in sorted(before.keys() & after.keys())
            if _plain(before[entry]) != _plain(after[entry])
        ]
        if lines:
            found[fact] = lines
    return dict(sorted(found.items()))


def check_same(saved: Facts, now: Facts, accepted: Sequence[str]) -> list[str]:
    """The changes that are accepted, one line each.

    Raises:
        ChangedFactsError: there are others; it has the differences and the key that accepts them.
    """
    found = changes(saved, now)
    refused = {fact: lines for fact, lines in found.items() if fact not in accepted}
    if not refused:
        return [line for lines in found.values() for line in lines]
    raise ChangedFactsError(
        "\n".join(
            [
                "The checkpoint is of another run:",
                *(f"  {line}" for lines in refused.values() for line in lines),
                f"{remedy(list(refused), accepted, now)}; or trainer.resume_mode=disable to start from scratch",
            ]
        )
    )


def remedy(refused: Sequence[str], accepted: Sequence[str], now: Facts) -> str:
    """What to do about changes of these facts."""
    wanted = ",".join(sorted({*refused, *accepted}))
    way = f"set trainer.resume_accept_changes=[{wanted}] if that is meant"
    if RANKS not in refused:
        return way
    num = now[RANKS]["num"]
    return (
        f"{way} (every rank's files are then cut anew when the run starts; "
        f"python -m verl_sdpo.checkpoint reshard DIR --ranks {num} --to FOLDER does it before)"
    )


def text_digest(text: str | None) -> str | None:
    """Short name of a text."""
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def plain_digest(value: Any) -> str:
    """Short name of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def model_digests(folder: Path) -> dict[str, str]:
    """`architecture` and `weights` of a Hugging Face folder, as far as it has them.

    Of the weights the sizes and the bytes at the beginning, in the middle and at the end of each file are read: enough
    to tell one training from another, in no time.
    """
    found = {}
    if (config := folder / "config.json").exists():
        content = json.loads(config.read_text(encoding="utf-8"))
        found["architecture"] = plain_digest({k: v for k, v in content.items() if k not in _NOT_OF_THE_MODEL})
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    if files:
        digest = hashlib.sha256()
        for path in files:
            digest.update(_sampled(path))
        found["weights"] = digest.hexdigest()[:16]
    return found


def _sampled(path: Path) -> bytes:
    size = path.stat().st_size
    digest = hashlib.sha256(f"{path.name} {size}".encode())
    with path.open("rb") as file:
        for start in sorted({0, max(0, size // 2 - _SAMPLE // 2), max(0, size - _SAMPLE)}):
            file.seek(start)
            digest.update(file.read(_SAMPLE))
    return digest.digest()


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 200 else f"{text[:197]}..."
