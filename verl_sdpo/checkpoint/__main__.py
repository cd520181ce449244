# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.checkpoint inspect|verify|export|reshard DIR`: a run's checkpoints, and what is made of them.

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
    if options.merge_adapter:
        from verl_sdpo.checkpoint.adapter import merge_adapter

        merge_adapter(target)
    print(f"written: {target}")
    return 0


def _reshard(options: argparse.Namespace) -> int:
    from verl_sdpo.checkpoint.export import chosen
    from verl_sdpo.checkpoint.reshard import reshard

    choice = chosen(options.folder)
    for note in choice.notes:
        print(note, file=sys.stderr)
    folder = reshard(choice, options.to.absolute(), options.ranks)
    print(f"written: {folder}\ngo on with it: trainer.default_local_dir={folder.parent} trainer.resume_mode=auto")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verl_sdpo.checkpoint", description=__doc__)
    commands = parser.add_subparsers(required=True)
    subs = {}
    for name, command, text in (
        ("inspect", _inspect, "what is in it, by names and sizes"),
        ("verify", _verify, "read every file and compare it with its checksum"),
        ("export", _export, "a Hugging Face folder with a model card"),
        ("reshard", _reshard, "a run's folder with the same checkpoint for another number of ranks"),
    ):
        sub = subs[name] = commands.add_parser(name, help=text)
        sub.add_argument("folder", type=Path, metavar="DIR", help="a run's folder, or one global_step_<N>")
        sub.set_defaults(command=command)
    for name in ("export", "reshard"):
        help_text = "where to; not there yet, or empty"
        subs[name].add_argument("--to", type=Path, required=True, metavar="FOLDER", help=help_text)
    subs["export"].add_argument("--teacher", action="store_true", help="the teacher instead of the student")
    subs["export"].add_argument("--merge-adapter", action="store_true", help="put a LoRA adapter into the weights")
    subs["reshard"].add_argument("--ranks", type=int, required=True, metavar="N", help="of the run that is to go on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
