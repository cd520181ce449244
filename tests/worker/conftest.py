# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One set of processes for all tests of the worker layer: importing verl takes longer than the tests."""

import pytest

from tests.worker.engine_case import save_model
from tests.worker.rank_processes import Ranks


@pytest.fixture(scope="session")
def ranks(tmp_path_factory):
    """A process group of one rank and one of two."""
    processes = Ranks(tmp_path_factory.mktemp("ranks"), [1, 2])
    yield processes
    processes.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Saved models by name: `tied` shares embedding and output head, `untied` does not."""
    directory = tmp_path_factory.mktemp("models")
    return {name: save_model(directory / name, is_tied=name == "tied") for name in ("tied", "untied")}
