# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From the options to the teacher: the one place that knows every kind."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from verl.workers.config import HFModelConfig
from verl.workers.engine import EngineRegistry
from verl.workers.engine_workers import TrainingWorker

from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.teacher.ema import EmaTeacher
from verl_sdpo.teacher.external import ExternalTeacher
from verl_sdpo.teacher.frozen import FrozenTeacher
from verl_sdpo.teacher.interface import Teacher
from verl_sdpo.teacher.live import LiveTeacher
from verl_sdpo.teacher.trust_region import TrustRegionTeacher
from verl_sdpo.worker.output_head import check_output_head, output_head


def build_teacher(options: SelfDistillationConfig, worker: TrainingWorker) -> Teacher:
    """The teacher that the options ask for, made of the worker's model as it is now.

    Raises:
        ValueError: a model that it consists of has an output head that cannot be set apart.
    """
    teacher = BUILDERS[options.teacher_regularization](options, worker)
    for voice in teacher.voices():
        output_head((voice.engine or worker.engine).module)
    return teacher


def _ema(options: SelfDistillationConfig, worker: TrainingWorker) -> Teacher:
    return EmaTeacher(
        worker.engine.module,
        options.teacher_update_rate,
        every=options.teacher_update_every,
        warmup_steps=options.teacher_warmup_steps,
    )


def _external(options: SelfDistillationConfig, worker: TrainingWorker) -> Teacher:
    path = options.external_teacher_path
    student = worker.model_config
    model_config = HFModelConfig(
        path=path,
        load_tokenizer=False,
        trust_remote_code=student.trust_remote_code,
        external_lib=student.external_lib,
        override_config={key: value for key, value in student.override_config.items() if key == "attn_implementation"},
        enable_gradient_checkpointing=False,
        use_remove_padding=student.use_remove_padding,
    )
    check_output_head(model_config.hf_config)
    if model_config.hf_config.vocab_size != student.hf_config.vocab_size:
        raise ValueError(
            f"external_teacher_path={path!r} has a vocabulary of {model_config.hf_config.vocab_size} ids, the student "
            f"one of {student.hf_config.vocab_size}: choose a teacher with the student's tokenizer and vocabulary size"
        )
    # Not `forward_only`: verl keeps such engines on the CPU. The optimizer that comes with it never steps and so never
    # allocates anything.
    engine = EngineRegistry.new(
        model_type=worker.config.model_type,
        backend=worker.engine_config.strategy,
        model_config=model_config,
        engine_config=copy.deepcopy(worker.engine_config),
        optimizer_config=copy.deepcopy(worker.optimizer_config),
        checkpoint_config=worker.checkpoint_config,
    )
    engine.initialize()
    return ExternalTeacher(engine, path)


# One line for each value of teacher_regularization.
BUILDERS: dict[str, Callable[[SelfDistillationConfig, Any], Teacher]] = {
    "ema": _ema,
    "frozen": lambda options, worker: FrozenTeacher(worker.engine.module),
    "live": lambda options, worker: LiveTeacher(),
    "trust_region": lambda options, worker: TrustRegionTeacher(worker.engine.module, options.trust_region_mix),
    "external": _external,
}
