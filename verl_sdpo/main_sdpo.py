# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.main_sdpo <overrides>`: train with SDPO, or with any loss of verl's, on verl's V1 trainer.

The configuration is verl's `ppo_trainer` plus `actor_rollout_ref.actor.self_distillation`; `--config-name
sdpo_trainer_cpu` is the same for a machine without a GPU. Where SDPO is neither the loss nor the advantage estimator,
verl's own classes run.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, open_dict

from verl_sdpo.config.for_verl import for_verl
from verl_sdpo.platforms.cpu import platform_selection
from verl_sdpo.preflight.compose import compose_and_call
from verl_sdpo.preflight.start import check_or_exit


def main() -> None:
    """Entry point."""
    compose_and_call(_check_and_run)


def _check_and_run(config: DictConfig) -> None:
    # First, since the checks import modules of verl's that ask for the platform.
    if config.trainer.device == platform_selection.NAME:
        prepare_cpu(config)
    check_or_exit(config)
    run(config)


def run(config: DictConfig, extend: Callable[[DictConfig, type], type] | None = None) -> None:
    """Run a checked configuration to its end.

    Args:
        config: the run's; it is changed into what verl takes.
        extend: called in the task runner's process with the configuration and the trainer's class, to return a class
            derived from it; a function of a module, since it travels by name.
    """
    from verl.trainer.main_ppo import run_ppo
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config
    from verl.utils.device import auto_set_device

    auto_set_device(config)
    for_verl(config)
    validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    _run_until_asked(lambda runner_class: run_ppo(config, task_runner_class=runner_class), extend)


def _run_until_asked(run_with: Callable[[Any], None], extend: Callable[[DictConfig, type], type] | None = None) -> None:
    """Run with our task runner; SIGTERM and SIGINT end the run after its step (`verl_sdpo.signals`)."""
    import ray

    from verl_sdpo.ray_token import provide_token
    from verl_sdpo.signals import StopSignals, nothing_left_behind
    from verl_sdpo.trainer.stop_request import ask_to_stop

    provide_token()
    signals = StopSignals(lambda name: _ask_once_ray_is_there(lambda: ask_to_stop(name)))
    signals.install()
    with nothing_left_behind(ray.shutdown):
        run_with(_StartedWith(signals.install, task_runner_class(extend)))
    if (status := signals.exit_status()) != 0:
        sys.exit(status)


def _ask_once_ray_is_there(ask: Callable[[], None]) -> None:
    import ray

    while not ray.is_initialized():
        time.sleep(0.1)
    ask()


class _StartedWith:
    """An actor class before whose start something is called: `ray.init`, in verl's `run_ppo`, sets its own handlers.

    It stands for what `run_ppo` does with the class (verl 0.9.1): `remote()` and `options(...).remote()`.
    """

    def __init__(self, before: Callable[[], None], actor_class: Any) -> None:
        self._before, self._actor_class = before, actor_class

    def options(self, **options: Any) -> _StartedWith:
        return _StartedWith(self._before, self._actor_class.options(**options))

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        self._before()
        return self._actor_class.remote(*args, **kwargs)


def prepare_cpu(config: DictConfig) -> None:
    """Select the CPU platform here and, through the environment, in every process of the run."""
    platform_selection.select()
    from verl.plugin.platform import get_platform, set_platform

    from verl_sdpo.platforms.cpu import adaptations, platform_cpu

    adaptations.install()
    if get_platform().device_name != platform_selection.NAME:
        # Composing the configuration imports verl, which may have looked for a device before this one was chosen.
        set_platform(platform_cpu.PlatformCPU())
    with open_dict(config):
        config.ray_kwargs.ray_init.runtime_env.env_vars = {"VERL_PLATFORM": platform_selection.NAME}


def task_runner_class(extend: Callable[[DictConfig, type], type] | None = None) -> Any:
    """verl's task runner, as a Ray actor class that picks SDPO's trainers, or what `extend` makes of them.

    `TaskRunnerV1` is decorated with `ray.remote`, so the class itself is taken from Ray's metadata, and it looks its
    trainer up in verl's registry, by `trainer.v1.trainer_mode` (`verl/trainer/main_ppo.py`, verl 0.9.1).
    """
    import ray
    from verl.trainer.main_ppo import TaskRunnerV1

    class SdpoTaskRunner(TaskRunnerV1.__ray_metadata__.modified_class):
        def run(self, config: DictConfig) -> None:
            _show_log()
            _choose_trainer(config, extend)
            _keep_stop_reasons(config)
            _restart_reward_workers()
            _survive_lost_trackers()
            super().run(config)

    return ray.remote(SdpoTaskRunner)


def _show_log() -> None:
    """Write this package's log as verl writes its own (`configure_verl_logging` covers the logger `verl` only)."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s:%(asctime)s:%(message)s"))
    package_logger = logging.getLogger("verl_sdpo")
    package_logger.handlers = [handler]
    package_logger.setLevel(os.getenv("VERL_LOGGING_LEVEL", "INFO"))
    package_logger.propagate = False


def _choose_trainer(config: DictConfig, extend: Callable[[DictConfig, type], type] | None) -> None:
    """Let verl find the run's trainer under its mode."""
    # Here, since it imports all trainers, which the process that starts the run does not need.
    from verl_sdpo.trainer import choice

    choice.use_trainer(config, extend)


def _keep_stop_reasons(config: DictConfig) -> None:
    """Let vLLM's servers say why a response ended; the agent loops of the run's configuration listen."""
    if config.actor_rollout_ref.rollout.name == "vllm":
        from verl_sdpo.rollout import vllm_server

        vllm_server.register()


def _restart_reward_workers() -> None:
    """Let a run survive the death of a process that scores."""
    from verl_sdpo.rollout import reward_workers

    reward_workers.restart_reward_workers()


def _survive_lost_trackers() -> None:
    """Let a run go on whose metrics no longer reach a service."""
    from verl_sdpo.trainer import trackers

    trackers.survive_lost_trackers()


if __name__ == "__main__":
    main()
