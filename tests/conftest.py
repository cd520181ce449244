# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The run's configuration, composed as the entry point composes it."""

import functools
import pickle

import pytest


@pytest.fixture(scope="session")
def compose():
    """`compose("sdpo_trainer_cpu", "key=value", ...)`: a configuration of the caller's own."""
    hydra = pytest.importorskip("hydra")
    from verl_sdpo.preflight.compose import register_config

    register_config()

    @functools.cache
    def composed(name, overrides):
        with hydra.initialize_config_module("verl_sdpo.config", version_base=None):
            # Unpickling takes a hundredth of the time of OmegaConf's deep copy.
            return pickle.dumps(hydra.compose(name, overrides=list(overrides)))

    return lambda name="sdpo_trainer", *overrides: pickle.loads(composed(name, overrides))
