# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards of files and modules that an option names."""

import concurrent.futures
import sys

import pytest

from verl_sdpo.rewards import compute_score, load_reward_modules, registered_rewards, reward_modules, score

FILE = """
from verl_sdpo.rewards import register_reward
with open({log!r}, "a") as log:
    print("loaded", file=log)

@register_reward({name!r})
def mine(solution_str, ground_truth, extra_info=None, *, bonus=0.0):
    return {{"score": float(solution_str == ground_truth) + bonus}}
"""


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))
    monkeypatch.setattr(reward_modules, "_LOADED", set())


@pytest.fixture
def write(tmp_path):
    """Writes a reward file; returns its path. Each time it is loaded it adds a line to `log`."""

    def write_file(name, file="rewards.py", folder="."):
        path = tmp_path / folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(FILE.format(name=name, log=str(tmp_path / "log")))
        return str(path)

    return write_file


def test_a_file_registers_its_reward_and_is_loaded_once(write, tmp_path):
    path = write("mine")
    for _ in range(3):
        assert compute_score("mine/part", "x", "x", None, reward_modules=[path], bonus=0.5)["score"] == 1.5
    assert (tmp_path / "log").read_text() == "loaded\n"
    assert compute_score("sciknoweval", "<answer>B</answer>", "B", reward_modules=[path])["score"] == 1.0


def test_a_module_is_named_as_python_does_or_as_verl_does(write, tmp_path, monkeypatch):
    write("mine", "my_rewards_of_a_test.py")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rewards_of_a_test", raising=False)
    load_reward_modules(["my_rewards_of_a_test", "pkg://my_rewards_of_a_test"])
    assert "mine" in registered_rewards()
    assert (tmp_path / "log").read_text() == "loaded\n"


def test_one_path_may_stand_by_itself(write):
    load_reward_modules(write("mine"))
    assert "mine" in registered_rewards()


def test_files_of_one_name_in_two_folders_are_two(write):
    load_reward_modules([write("one", folder="a"), write("two", folder="b")])
    assert {"one", "two"} <= set(registered_rewards())


def test_a_file_that_verl_loads_too_is_no_clash(write):
    from verl.utils.import_utils import load_extern_object

    path = write("mine")
    load_extern_object(path, "mine")
    load_reward_modules([path])
    assert compute_score("mine", "x", "x")["score"] == 1.0


def test_two_files_that_claim_one_name_are_a_clash(write):
    with pytest.raises(ValueError, match=r"two\.py.*'mine' is already"):
        load_reward_modules([write("mine", "one.py"), write("mine", "two.py")])


def test_threads_load_a_file_once(write, tmp_path):
    path = write("mine")
    with open(path, "a") as file:
        file.write("import time\ntime.sleep(0.1)\n")  # long enough for the others to arrive
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        scores = list(pool.map(lambda _: compute_score("mine", "", "x", reward_modules=[path])["score"], range(64)))
    assert scores == [0.0] * 64
    assert (tmp_path / "log").read_text() == "loaded\n"


def test_what_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    for name, fault in [
        (str(tmp_path / "missing.py"), "missing.py.*FileNotFoundError"),
        (str(tmp_path / "broken.py"), "broken.py.*ZeroDivisionError"),
        ("no_such_module_of_rewards", "no_such_module_of_rewards.*ModuleNotFoundError"),
    ]:
        for _ in range(2):  # not only the first time
            with pytest.raises(ValueError, match=fault):
                compute_score("sciknoweval", "", "B", reward_modules=[name])
