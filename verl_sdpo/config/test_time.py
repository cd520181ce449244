# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a user sets about test-time self-distillation: the section `test_time` of a run of `verl_sdpo.test_time`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from verl_sdpo.config.checks import SDPO
from verl_sdpo.config.determinism import OUR_MANAGER, ROLLOUT, SEEDED_MANAGER
from verl_sdpo.config.option_names import check_known

KEY = "test_time"
METHODS = ("sdpo", "best_of_k", "multi_turn")
CONTEXTS = ("feedback", "attempts_and_feedback")


@dataclass(frozen=True)
class TestTimeConfig:
    """One method on a list of questions. Raises ValueError (key, value, remedy) on a senseless value."""

    # pytest takes a class with such a name for tests.
    __test__ = False

    # "sdpo" updates the model after each batch of attempts; "best_of_k" and "multi_turn" never do.
    method: str = "sdpo"
    # Generations at each question that were judged.
    budget: int = 2750
    # Which rows of data.train_files, from 0; null: all of them, in their order.
    questions: list[int] | None = None
    # Where attempts, verdicts and results go, and from where a killed run goes on.
    output_dir: str = "outputs/test_time"
    # False: go on to the end of the budget, as unbiased pass@k needs it.
    stop_at_first_success: bool = True
    # multi_turn: what a prompt shows of earlier attempts, "feedback" or "attempts_and_feedback".
    context: str = "feedback"
    # multi_turn: tokens of a prompt, the oldest turns leaving first; null: actor_rollout_ref.rollout.prompt_length.
    max_prompt_tokens: int | None = None
    # best_of_k and multi_turn: questions that are asked in one batch. sdpo has one model, and so one question.
    concurrent_questions: int = 1

    def __post_init__(self) -> None:
        _require(self.method in METHODS, "method", self.method, f"choose one of {', '.join(METHODS)}")
        _require(_is_whole(self.budget, 1), "budget", self.budget, "set a whole number of at least 1")
        if self.questions is not None:
            rows = self.questions
            is_list = isinstance(rows, list) and len(rows) > 0 and all(_is_whole(row, 0) for row in rows)
            _require(is_list, "questions", rows, "list rows of data.train_files, whole numbers from 0, or set null")
            _require(len(set(rows)) == len(rows), "questions", rows, "name each row once")
        _require(
            isinstance(self.output_dir, str) and self.output_dir.strip() != "",
            "output_dir",
            self.output_dir,
            "set the folder for the run's files",
        )
        _require(
            isinstance(self.stop_at_first_success, bool),
            "stop_at_first_success",
            self.stop_at_first_success,
            "set true or false",
        )
        _require(self.context in CONTEXTS, "context", self.context, f"choose one of {', '.join(CONTEXTS)}")
        _require(
            self.max_prompt_tokens is None or _is_whole(self.max_prompt_tokens, 1),
            "max_prompt_tokens",
            self.max_prompt_tokens,
            "set a whole number of at least 1, or null for the rollout's own limit",
        )
        _require(
            _is_whole(self.concurrent_questions, 1),
            "concurrent_questions",
            self.concurrent_questions,
            "set a whole number of at least 1",
        )
        _require(
            self.method != "sdpo" or self.concurrent_questions == 1,
            "concurrent_questions",
            self.concurrent_questions,
            "with method=sdpo the model learns one question at a time: set it to 1",
        )

    @property
    def learns(self) -> bool:
        """Whether the model is updated."""
        return self.method == "sdpo"

    @classmethod
    def from_mapping(cls, options: dict[str, Any]) -> TestTimeConfig:
        """From the section of the run's configuration. An unknown key raises ValueError with the nearest one."""
        check_known(options, defaults(), "test_time")
        return cls(**options)

    @classmethod
    def of(cls, config: DictConfig) -> TestTimeConfig:
        """Of a whole run's configuration."""
        return cls.from_mapping(OmegaConf.to_container(config[KEY], resolve=True))


def defaults() -> dict[str, Any]:
    """Every option with its default."""
    return {field.name: field.default for field in dataclasses.fields(TestTimeConfig)}


def test_time_faults(config: DictConfig) -> list[str]:
    """One line (key, value, remedy) for each setting that a test-time run could not have."""
    select = lambda key: OmegaConf.select(config, key)  # noqa: E731
    if select(KEY) is None:
        return [f"{KEY} is missing: start from verl_sdpo's config sdpo_test_time or sdpo_test_time_cpu"]
    try:
        options = TestTimeConfig.of(config)
    except ValueError as error:
        return [f"{KEY}.{error}"]
    rules = [
        (
            "actor_rollout_ref.actor.policy_loss.loss_mode",
            lambda value: value == SDPO,
            "test_time.method chooses what is compared with SDPO; set it to sdpo",
        ),
        (
            "trainer.v1.trainer_mode",
            lambda value: value == "sync",
            "attempts must be of the weights that the last verdicts made; set it to sync",
        ),
        (
            f"{ROLLOUT}.agent.agent_loop_manager_class",
            lambda value: value in (None, OUR_MANAGER, SEEDED_MANAGER),
            f"attempts are written down by this package's agent loop workers; set it to {OUR_MANAGER}",
        ),
        (
            "trainer.test_freq",
            lambda value: value <= 0,
            "there is nothing to validate on but the questions themselves; set it to -1",
        ),
        ("trainer.val_before_train", lambda value: not value, "as trainer.test_freq; set it to False"),
        (
            "trainer.max_generations",
            lambda value: value is None,
            "a question's bound is test_time.budget; set it to null",
        ),
        (
            "data.train_max_samples",
            lambda value: value in (None, -1),
            "test_time.questions counts the rows of the files; set it to -1",
        ),
        (
            "algorithm.filter_groups.enable",
            lambda value: not value,
            "every attempt counts; set it to False",
        ),
        (
            "reward.reward_model.enable",
            lambda value: not value or select("reward.reward_model.enable_resource_pool"),
            "a verdict is written down as its attempt is judged; set reward.reward_model.enable_resource_pool=True",
        ),
        (
            "actor_rollout_ref.actor.self_distillation.generation_by",
            lambda value: value == "student",
            "attempts are made without a demonstration; set it to student",
        ),
    ]
    if not options.learns:
        rules.append(
            (
                "data.train_batch_size",
                lambda value: value == 1,
                f"with test_time.method={options.method} a batch has test_time.concurrent_questions; set it to 1",
            )
        )
    faults = [
        f"{key}={select(key)!r} is not supported with test_time: {remedy}"
        for key, is_fine, remedy in rules
        if not is_fine(_plain(select(key)))
    ]
    return faults + _window_faults(config, options)


def _window_faults(config: DictConfig, options: TestTimeConfig) -> list[str]:
    if options.method != "multi_turn" or options.max_prompt_tokens is None:
        return []
    key, window = f"{ROLLOUT}.prompt_length", OmegaConf.select(config, f"{ROLLOUT}.prompt_length")
    if options.max_prompt_tokens <= window:
        return []
    return [
        f"{KEY}.max_prompt_tokens={options.max_prompt_tokens} is more than {key}={window}, and a response to a longer "
        f"prompt would be cut short: set {key} to at least as much, and {ROLLOUT}.max_model_len to both lengths"
    ]


def _require(is_fine: bool, key: str, value: Any, remedy: str) -> None:
    if not is_fine:
        raise ValueError(f"{key}={value!r} is not possible: {remedy}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, ListConfig) else value
