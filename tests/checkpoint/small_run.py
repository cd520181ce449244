# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run that does nothing but save: real files through the real store, small ones, in a process of its own.

    python -m tests.checkpoint.small_run FOLDER KEEP

It resumes, then saves one step after the other, without end. It writes `begin N`, `saved N` to standard output.
"""

import sys
from pathlib import Path

from verl_sdpo.checkpoint.manifest import Manifest, now
from verl_sdpo.checkpoint.store import CheckpointStore

FILES = ("actor/model_world_size_2_rank_0.pt", "actor/model_world_size_2_rank_1.pt", "actor/huggingface/config.json")
BYTES = 200_000


def content(step, name):
    """What a file of a step has in it; every step's differs in every block."""
    return f"{step} {name}\n".encode() * (BYTES // (len(name) + len(str(step)) + 2))


def manifest(step, facts=None):
    return Manifest(step, 0, now(), "abc", {"verl": "0"}, facts or {}, {})


def write_files(folder, step):
    """As verl's ranks and driver do; the last one beside the shards, as verl's position in the data."""
    for name in (*FILES, "data.pt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(step, name))


def save(store, step, keep=None, facts=None):
    write_files(store.begin(step), step)
    return store.finish(manifest(step, facts), keep)


def is_of_step(folder, step):
    """Whether a folder has what `write_files` wrote for this step, whole."""
    return all((folder / name).read_bytes() == content(step, name) for name in (*FILES, "data.pt"))


def say(text):
    """One line to whoever has started this process, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(root, keep):
    store = CheckpointStore(Path(root))
    choice = store.choose()
    step = 0 if choice.manifest is None else choice.manifest.step
    say("ready")
    while True:
        step += 1
        say(f"begin {step}")
        save(store, step, int(keep))
        say(f"saved {step}")


if __name__ == "__main__":
    main(*sys.argv[1:])
