# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A disk that gets full while a checkpoint is saved: what was there stays, what was begun goes."""

import resource
import signal

import pytest

from tests.checkpoint.small_run import BYTES, save
from verl_sdpo.checkpoint import durable
from verl_sdpo.checkpoint.store import STAGING, CheckpointStore


@pytest.fixture
def small_files():
    """No file may grow beyond half of what a save writes: as a full disk, the write fails in its midst."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES // 2, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_finds_no_space_leaves_the_last_checkpoint(tmp_path, small_files):
    store = CheckpointStore(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    save(store, 2, keep=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(OSError, match="File too large"):
        save(store, 4, keep=1)
    store.abandon()
    assert [entry.step for entry in store.entries()] == [2]
    assert store.choose().folder.name == "global_step_2"
    assert not (tmp_path / STAGING).exists()


@pytest.mark.parametrize("number", range(8))
def test_a_sync_that_fails_leaves_a_checkpoint_that_is_whole(tmp_path, monkeypatch, number):
    """The last writes of a disk that is full may be said to be done, and fail in the sync."""
    store = CheckpointStore(tmp_path)
    save(store, 2, keep=1)
    left, sync = [number], durable.os.fsync

    def failing(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", failing)
        with pytest.raises(OSError, match="No space left"):
            save(store, 4, keep=1)
    assert store.choose().folder.name in ("global_step_2", "global_step_4")
    save(store, 6, keep=1)
    assert [entry.step for entry in store.entries()] == [6]
