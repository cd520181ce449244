# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.checkpoint inspect|verify|export DIR`: what a run's checkpoints are, and models out of them.

DIR is a run's folder (trainer.default_local_dir) or one checkpoint in it, global_step_<N>.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from verl_sdpo.checkpoint import manifest as manifests
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.report import describe
from verl_sdpo.checkpoint.store import CheckpointStore, look_at

EXIT_FAULT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 where something is not as it should be."""
    options = _parser().parse_args(arguments)
    try:
        if not options.folder.is_dir():
            raise CheckpointError(f"{options.folder} is no folder")
        return options.command(options)
    except (CheckpointError, OSError) as error:
        print(f"checkpoint error: {error}", file=sys.stderr)
        return EXIT_FAULT


def _inspect(options: argparse.Namespace) -> int:
    print(describe(options.folder))
    return 0


def _verify(options: argparse.Namespace) -> int:
    is_one = options.folder.name.startswith("global_step_")
    entries = [look_at(options.folder)] if is_one else CheckpointStore(options.folder).entries()
    if not entries:
        raise CheckpointError(f"{options.folder} has no folder named global_step_<N>")
    status = 0
    for entry in entries:
        faults = list(entry.faults)
        if entry.manifest is not None:
            faults = manifests.file_faults(entry.folder, entry.manifest, contents=True)
        print(f"{entry.folder}: {'whole' if not faults else 'not whole'}")
        for fault in faults:
            print(f"  {fault}")
            status = EXIT_FAULT
    return status


def _export(options: argparse.Namespace) -> int:
    from verl_sdpo.checkpoint.export import export

    target = export(options.folder, options.to, teacher=options.teacher)
    print(f"written: {target}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verl_sdpo.checkpoint", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, command, text in (
        ("inspect", _inspect, "what is in it, by names and sizes"),
        ("verify", _verify, "read every file and compare it with its checksum"),
        ("export", _export, "a Hugging Face folder with a model card"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("folder", type=Path, metavar="DIR", help="a run's folder, or one global_step_<N>")
        sub.set_defaults(command=command)
    sub.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="where to; not there yet, or empty")
    sub.add_argument("--teacher", action="store_true", help="the teacher instead of the student")
    return parser


if __name__ == "__main__":
    sys.exit(main())
