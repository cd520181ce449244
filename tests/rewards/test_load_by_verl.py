# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The overrides that docs/data.md names, through verl's own loader, reward manager and validation metrics."""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module

from verl_sdpo.rewards import OUTCOME_FIELDS

PACKAGE = "reward.custom_reward_function.path=pkg://verl_sdpo.rewards"
OPTION = "+reward.custom_reward_function.reward_kwargs."
DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"


def _config(*overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=list(overrides))


def _reward_function(*overrides):
    from verl.trainer.ppo.reward import get_custom_reward_fn

    return get_custom_reward_fn(_config(*overrides))


def _score(function, solution):
    return function(
        data_source="sciknoweval/chemistry", solution_str=solution, ground_truth="B", extra_info={"index": 0}
    )


@pytest.mark.parametrize("overrides", [(PACKAGE,), (PACKAGE, "reward.custom_reward_function.name=compute_score")])
def test_verl_loads_the_package_by_its_name(overrides):
    function = _reward_function(*overrides)
    assert _score(function, "<answer>B</answer>")["score"] == 1.0
    assert _score(function, "<answer>C</answer>")["feedback"] == "Your answer C is incorrect."


def test_options_pass_through_verl():
    function = _reward_function(PACKAGE, f"{OPTION}reveal_answer=True", f"{OPTION}answer_forms=[tags]")
    assert _score(function, "\\boxed{B}")["score"] == 0.0
    assert _score(function, "\\boxed{B}")["feedback"].endswith("The correct answer is B.")


def test_the_documented_reward_file_adds_a_reward_and_keeps_the_others(tmp_path, monkeypatch):
    from verl_sdpo.rewards import score

    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))
    path = tmp_path / "my_reward.py"
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    [example] = [each for each in examples if "register_reward" in each]
    path.write_text(example)
    overrides = (f"reward.custom_reward_function.path={path}", f"{OPTION}tolerance=1")
    for _ in range(2):  # verl runs the file anew each time
        function = _reward_function(*overrides)
    own = {"data_source": "my_task/easy", "ground_truth": "3", "extra_info": None}
    assert function(solution_str="four", **own)["score"] == 1.0
    assert function(solution_str="a long one", **own)["feedback"] == "The response has the wrong length."
    assert _score(function, "<answer>B</answer>")["score"] == 1.0


def test_every_override_in_the_document_composes():
    lines = re.findall(r"^\+?reward\.\S+", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        config = _config(line)
        values = line.partition("=")[2].strip("[]").split(",")
        assert all(value in str(config.reward.custom_reward_function) for value in values)


class _Decoder:
    """Token ids are positions in a list of responses."""

    responses = ("<answer>B</answer>", "<answer>C</answer>", "B")

    def decode(self, ids, skip_special_tokens):
        assert skip_special_tokens
        return self.responses[int(ids[0])]


def _run_through_naive_manager(name):
    from verl import DataProto
    from verl.trainer.ppo.reward import load_reward_manager

    async def score_all():
        overrides = (PACKAGE, f"reward.custom_reward_function.name={name}", f"{OPTION}reveal_answer=False")
        manager = load_reward_manager(_config(*overrides), _Decoder())
        assert manager.is_async_reward_score == (name == "compute_score_async")
        results = []
        for number in range(len(_Decoder.responses)):
            sample = DataProto.from_dict(
                tensors={"responses": torch.tensor([[number]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)},
                non_tensors={
                    "data_source": np.array(["sciknoweval/chemistry"], dtype=object),
                    "reward_model": np.array([{"style": "rule", "ground_truth": "B"}], dtype=object),
                    "extra_info": np.array([{"index": number, "details": '{"options": "ABCD"}'}], dtype=object),
                },
            )
            results.append(await manager.run_single(sample))
        return results

    return asyncio.run(score_all())


@pytest.mark.parametrize("name", ["compute_score", "compute_score_async"])
def test_verl_s_reward_manager_scores_and_metrics_accept_the_fields(name):
    from verl.trainer.ppo.metric_utils import process_validation_metrics

    results = _run_through_naive_manager(name)
    assert [result["reward_score"] for result in results] == [1.0, 0.0, 0.0]
    infos = {name: [result["reward_extra_info"][name] for result in results] for name in OUTCOME_FIELDS}
    metrics = process_validation_metrics(["sciknoweval/chemistry"] * 3, ["q0"] * 3, infos)["sciknoweval/chemistry"]
    assert metrics["acc"]["mean@3"] == pytest.approx(1 / 3)
    assert metrics["incorrect_format"]["mean@3"] == pytest.approx(1 / 3)
    assert "feedback" not in metrics
