# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A home that cannot be written keeps Ray from starting, and with a token in the environment it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from verl_sdpo.ray_token import TOKEN, provide_token

OTHERS = ("RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_ADDRESS")
# No file can be made there, by root neither.
NO_HOME = "/proc"
# What `ray.init` does first where it starts a cluster.
ASK_RAY = """
from ray._private.authentication import authentication_token_setup as setup
setup.enable_token_auth_by_default()
setup.ensure_token_if_auth_enabled()
"""


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    for name in (TOKEN, *OTHERS):
        # Set first, so that what the test leaves there is taken back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def rays_complaint(**environment):
    run = subprocess.run(
        [sys.executable, "-c", ASK_RAY], env=os.environ | environment, capture_output=True, encoding="utf-8"
    )
    return run.stderr if run.returncode else None


def test_ray_starts_where_it_cannot_write_its_token(monkeypatch):
    monkeypatch.setenv("HOME", NO_HOME)
    assert "/proc/.ray" in rays_complaint()
    provide_token()
    assert rays_complaint() is None


def test_each_run_has_a_token_of_its_own(monkeypatch):
    monkeypatch.setenv("HOME", NO_HOME)
    tokens = set()
    for _ in range(2):
        monkeypatch.delenv(TOKEN, raising=False)
        provide_token()
        tokens.add(os.environ[TOKEN])
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32


def test_a_home_that_can_be_written_is_left_to_ray(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    provide_token()
    assert TOKEN not in os.environ
    assert rays_complaint() is None
    assert (Path(tmp_path) / ".ray" / "auth_token").exists()


@pytest.mark.parametrize("name", OTHERS)
def test_whoever_says_where_the_token_is_has_the_last_word(monkeypatch, name):
    monkeypatch.setenv("HOME", NO_HOME)
    monkeypatch.setenv(name, "x")
    provide_token()
    assert TOKEN not in os.environ
