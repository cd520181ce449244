# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""All areas, one after the other, each whatever the others found."""

from __future__ import annotations

import time
from collections.abc import Callable

from omegaconf import DictConfig

from verl_sdpo import rewards
from verl_sdpo.config.checks import ConfigError, check_run, uses_sdpo
from verl_sdpo.config.without_effect import settings_without_effect
from verl_sdpo.preflight.caches import examine_caches
from verl_sdpo.preflight.data import Seen, examine_data
from verl_sdpo.preflight.disk import examine_disk
from verl_sdpo.preflight.fault import Fault, Findings, from_lines
from verl_sdpo.preflight.model import model_faults
from verl_sdpo.preflight.prompts import examine_prompts
from verl_sdpo.preflight.resume import examine_resume
from verl_sdpo.preflight.reward_function import Scorer, find_scorer
from verl_sdpo.preflight.sizes import batch_faults, length_faults, value_faults
from verl_sdpo.preflight.trial import examine_rewards
from verl_sdpo.preflight.verl_checks import registry_faults, validation_faults


def examine(config: DictConfig) -> Findings:
    """Everything that can be said about a run before Ray, a model or a GPU is touched. Raises nothing."""
    started, seen, findings = time.monotonic(), Seen(), Findings()
    findings += examine_config(config)
    scorers: list[Scorer] = []

    def load_rewards() -> Findings:
        scorer, found = find_scorer(config)
        scorers.append(scorer)
        return found

    findings += guarded("config", "the reward function", load_rewards)
    scorer = scorers[0] if scorers else Scorer()
    findings += guarded("data", "the data", lambda: examine_data(config, seen, scorer.is_ours))
    findings += guarded("data", "the prompts", lambda: examine_prompts(config, seen))
    machine = guarded("sandbox", "the machine", lambda: examine_sandbox(seen, scorer))
    findings += machine
    if not machine.fatal():
        findings += guarded("reward", "the rewards", lambda: examine_rewards(config, seen, scorer))
    findings += guarded("resume", "the checkpoints", lambda: examine_resume(config, seen.tokenizer))
    findings += guarded("disk", "the disk", lambda: examine_disk(config))
    findings += guarded("disk", "the caches", examine_caches)
    findings.notes.append(f"preflight took {time.monotonic() - started:.1f} s")
    return findings


def examine_config(config: DictConfig) -> Findings:
    """Types, ranges, choices and combinations; in a sound configuration also what verl says and what has no effect."""
    findings = Findings()
    for check in (_run_faults, value_faults, batch_faults, length_faults, model_faults, registry_faults):
        findings += guarded("config", check.__name__.strip("_"), lambda check=check: Findings(check(config)))
    if findings.fatal():
        return findings
    findings += guarded("config", "verl's validation", lambda: Findings(validation_faults(config)))
    if uses_sdpo(config) and not findings.fatal():
        findings.faults += from_lines("config", settings_without_effect(config), is_fatal=False)
    return findings


def examine_sandbox(seen: Seen, scorer: Scorer) -> Findings:
    """Whether this machine can score responses to the questions of the data: programs need isolation."""
    if not scorer.is_ours:
        return Findings()
    try:
        return Findings([], rewards.check_machine(seen.sources(), scorer.options))
    except ValueError as error:
        where = "responses to these rows cannot be scored on this machine"
        return Findings([Fault("sandbox", where, str(error), "see python -m verl_sdpo.sandbox doctor")])


def guarded(area: str, what: str, examine_area: Callable[[], Findings]) -> Findings:
    """What an area finds. That a check itself fails is a warning: it may be a value that another area refuses."""
    try:
        return examine_area()
    except Exception as error:
        told = " ".join(str(error).split())[:300]
        problem = f"was not checked, since the check failed with {type(error).__name__}: {told}"
        return Findings([Fault(area, what, problem, "correct the other faults first", is_fatal=False)])


def _run_faults(config: DictConfig) -> list[Fault]:
    try:
        check_run(config)
    except ConfigError as error:
        return from_lines("config", error.faults)
    return []
