# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One set of processes for all tests of the worker layer: importing verl takes longer than the tests."""

import pytest

from tests.worker.engine_case import VOCAB, save_model
from tests.worker.rank_processes import Ranks


@pytest.fixture(scope="session")
def ranks(tmp_path_factory):
    """A process group of one rank and one of two."""
    processes = Ranks(tmp_path_factory.mktemp("ranks"), [1, 2])
    yield processes
    processes.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Saved models by name.

    `tied` shares embedding and output head, `untied` does not; `small` has another shape and the same vocabulary,
    `wordy` another vocabulary.
    """
    directory = tmp_path_factory.mktemp("models")
    return {
        "tied": save_model(directory / "tied", is_tied=True),
        "untied": save_model(directory / "untied", is_tied=False),
        "small": save_model(directory / "small", is_tied=False, num_layers=1, hidden_size=16),
        "wordy": save_model(directory / "wordy", is_tied=False, vocab_size=VOCAB + 3),
    }
