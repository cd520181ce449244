# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rollouts from the teacher's prompt: what the rollout is asked, and what is left of it when the step begins."""

import copy
import logging

import numpy as np
import pytest
import torch
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1 import PPOTrainer
from verl.utils import tensordict_utils as tu
from verl.utils.dataset.rl_dataset import collate_fn

from verl_sdpo.algorithm.reprompt_config import SDFT_BEHAVIOUR, RepromptConfig
from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.config.checks import TRAINER_MODES
from verl_sdpo.trainer import batch_fields
from verl_sdpo.trainer.prompt_renderer import PromptRenderer
from verl_sdpo.trainer.sdpo_trainers import SDPO_TRAINERS
from verl_sdpo.trainer.teacher_generation import (
    GeneratedSample,
    generation_metrics,
    generation_prompts,
    student_prompt_ids,
)
from verl_sdpo.watch.verdicts import VerdictLimits, VerdictWatch

# What is counted of samples without a verdict, in every step.
NO_FAULTS = {f"reward/{name}": 0.0 for name in ("sandbox_error_fraction", "bad_test_fraction", "no_verdict_batch")}
CONFIG = RepromptConfig(**SDFT_BEHAVIOUR)
SYSTEM = {"role": "system", "content": "Answer briefly."}
RESPONSE = [70, 71, 72]


def question(number):
    return [SYSTEM, {"role": "user", "content": f"What is {number} times {number}?"}]


def one_row(number, context):
    return {"prompt": question(number), "privileged_context": context, "extra_info": {"index": number}}


@pytest.fixture
def render(compose, tokenizer):
    return PromptRenderer(compose("sdpo_trainer_cpu"), tokenizer, "qwen3")


# What the rollout is asked


def test_the_rollout_is_asked_the_question_with_the_demonstration(render):
    rows = [one_row(6, "It is 36."), one_row(7, None), one_row(8, " \n")]
    before = copy.deepcopy(rows)
    prompts = generation_prompts(rows, CONFIG, render, 4096)
    shown = "What is 6 times 6?\nCorrect solution:\n\nIt is 36.\n\nCorrectly solve the original question."
    assert prompts.messages == [[SYSTEM, {"role": "user", "content": shown}], question(7), question(8)]
    assert (prompts.num_shortened, prompts.num_too_long) == (0, 0)
    assert rows == before


@pytest.mark.parametrize(("max_prompt_len", "max_reprompt_len"), [(260, 4096), (4096, 260), (260, 260)])
def test_a_long_demonstration_is_cut_to_what_the_rollout_takes_and_the_question_never_is(
    render, max_prompt_len, max_reprompt_len
):
    config = RepromptConfig(**SDFT_BEHAVIOUR, max_reprompt_len=max_reprompt_len)
    prompts = generation_prompts([one_row(6, "ab" * 500), one_row(7, "short")], config, render, max_prompt_len)
    assert (prompts.num_shortened, prompts.num_too_long) == (1, 0)
    [long, short] = prompts.messages
    assert 200 < len(render(long)) <= 260
    assert long[0] == SYSTEM
    assert long[1]["content"].startswith("What is 6 times 6?\nCorrect solution:\n\nab")
    assert "[... shortened ...]" in long[1]["content"]
    assert "short" in short[1]["content"]


def test_without_room_for_a_demonstration_the_rollout_is_asked_the_plain_question(render):
    prompts = generation_prompts([one_row(6, "ab" * 500)], CONFIG, render, len(render(question(6))) + 3)
    assert prompts.messages == [question(6)]
    assert (prompts.num_shortened, prompts.num_too_long) == (0, 1)


def test_a_prompt_that_must_not_be_shortened_stops_the_run_and_names_both_bounds(render):
    config = RepromptConfig(**SDFT_BEHAVIOUR, reprompt_truncation="error")
    with pytest.raises(ValueError, match=r"rollout.prompt_length=260 .*max_reprompt_len=260"):
        generation_prompts([one_row(6, "ab" * 500)], config, render, 260)


def test_special_tokens_in_a_demonstration_are_text(render, tokenizer):
    [messages] = generation_prompts(
        [one_row(6, "36<|im_end|>")], CONFIG, render, 4096, tokenizer.all_special_tokens
    ).messages
    assert "36< |im_end|>" in messages[1]["content"]


def test_the_prompt_depends_on_the_rows_own_tools():
    seen = []

    def render(messages, extra_info):
        seen.append(extra_info)
        return [0]

    generation_prompts([one_row(6, "D"), one_row(7, "D")], CONFIG, render, 10)
    assert {info["index"] for info in seen} == {6, 7}


# What is left of it


def one_sample(render, number=6, context="It is 36.", **changes):
    asked = generation_prompts([one_row(number, context)], CONFIG, render, 4096).messages[0]
    fields = {"messages": asked, "prompt_ids": render(asked), "student_messages": question(number)}
    return GeneratedSample(**(fields | {"response_ids": RESPONSE, "extra_info": None} | changes))


def test_the_students_prompt_is_the_agent_loops_for_the_question(compose, tokenizer, render, student_prompt):
    samples = [one_sample(render), one_sample(render, 7), one_sample(render, 8, None)]
    config = compose("sdpo_trainer_cpu")
    wanted = [student_prompt(config, tokenizer, "qwen3", question(number)) for number in (6, 7, 8)]
    assert student_prompt_ids(samples, render, 4096) == wanted
    assert generation_metrics(samples) == {"self_distillation/generated_by_teacher_fraction": pytest.approx(2 / 3)}


def test_a_question_that_is_too_long_is_cut_as_the_agent_loop_cuts_it(compose, tokenizer, render, student_prompt):
    config = compose("sdpo_trainer_cpu", "data.max_prompt_length=20")
    [ids] = student_prompt_ids([one_sample(render, context=None)], render, 20)
    assert ids == student_prompt(config, tokenizer, "qwen3", question(6))
    assert len(ids) == 20


def test_another_rendering_than_the_rollouts_is_seen_in_the_prompt_that_the_rollout_was_asked(render):
    sample = one_sample(render)
    other = one_sample(render, prompt_ids=[1, *sample.prompt_ids[1:]])
    with pytest.raises(ValueError, match="other tokens than the rollout's"):
        student_prompt_ids([other, sample], render, 4096)


# The way of a batch


class Rows:
    """TransferQueue as a table of rows, tensors apart from one another, everything else in a stack."""

    def __init__(self):
        self.rows, self.tags = {}, {}

    def kv_batch_get(self, keys, partition_id, select_fields):
        rows = [self.rows[key] for key in keys]
        return {name: self._column([row[name] for row in rows]) for name in select_fields if name in rows[0]}

    def kv_batch_put(self, keys, partition_id, fields, tags):
        for place, key in enumerate(keys):
            row = self.rows.setdefault(key, {})
            for name in fields.keys():  # noqa: SIM118
                row[name] = fields[name][place]
            self.tags.setdefault(key, {}).update(tags[place])

    @staticmethod
    def _column(values):
        if isinstance(values[0], torch.Tensor):
            return torch.nested.as_nested_tensor(values, layout=torch.jagged)
        return NonTensorStack(*values)


@pytest.fixture
def queue(monkeypatch):
    rows = Rows()
    monkeypatch.setattr(batch_fields, "tq", rows)
    return rows


def fetched(contexts):
    """A batch as `PPOTrainer._next_train_batch` returns it."""
    rows = [
        {
            "raw_prompt": question(number),
            "extra_info": {"index": number},
            "index": number,
            "dummy_tensor": torch.tensor([0], dtype=torch.uint8),
        }
        | ({} if contexts is None else {"privileged_context": contexts[number]})
        for number in range(3)
    ]
    columns = collate_fn(rows)
    columns["uid"] = np.array([f"u{number}" for number in range(3)], dtype=object)
    batch = tu.get_tensordict(columns)
    tu.assign_non_tensor_data(batch, "global_steps", 4)
    return batch


def generated(batch, queue, render):
    """What verl's agent loops write for it, two rollouts a prompt."""
    keys = []
    for row in range(len(batch)):
        values = {name: batch[name][row] for name in ("raw_prompt", "student_prompt", "extra_info") if name in batch}
        prompt = torch.tensor(render(values["raw_prompt"]))
        response = torch.tensor(RESPONSE[: row + 1])
        input_ids = torch.cat([prompt, response])
        values |= {"uid": f"u{row}", "prompts": prompt, "responses": response, "input_ids": input_ids}
        values |= {"position_ids": torch.arange(len(input_ids)), "response_mask": torch.ones_like(response)}
        values["rollout_log_probs"] = torch.full((len(response),), -0.5)
        for session in range(2):
            key = f"u{row}_{session}_0"
            keys.append(key)
            queue.rows[key] = dict(values)
            queue.tags[key] = {"prompt_len": len(prompt), "response_len": len(response), "seq_len": len(input_ids)}
            queue.tags[key]["global_steps"] = 4
    batch = KVBatchMeta(keys=keys, tags=[queue.tags[key] for key in keys], partition_id="train")
    batch.extra_info["temperature"] = 0.7
    return batch


@pytest.fixture
def trainer_of(compose, tokenizer, render, monkeypatch):
    """`trainer_of(mode, generation_by, contexts)`: a trainer whose verl part is replaced by records."""

    def make(mode, generation_by, contexts, max_prompt_length=4096):
        trainer = object.__new__(SDPO_TRAINERS[mode])
        trainer.config = compose("sdpo_trainer_cpu", f"data.max_prompt_length={max_prompt_length}")
        trainer.tokenizer, trainer.prompt_renderer, trainer.global_steps = tokenizer, render, 4
        trainer.self_distillation = SelfDistillationConfig(generation_by=generation_by, reprompt=CONFIG)
        trainer.fetches = []
        trainer.verdict_watch = VerdictWatch(VerdictLimits(None, None))

        def fetch(self, num_prompts=None):
            self.fetches.append(num_prompts)
            return fetched(contexts)

        monkeypatch.setattr(PPOTrainer, "_next_train_batch", fetch)
        monkeypatch.setattr(PPOTrainer, "_balance_batch", lambda self, batch, metrics: batch)
        return trainer

    return make


@pytest.mark.parametrize("mode", TRAINER_MODES)
def test_a_batch_leaves_with_the_teachers_prompts_and_comes_back_with_the_students(trainer_of, queue, render, mode):
    trainer = trainer_of(mode, "teacher", ["It is 0.", None, "It is 4."])
    batch = trainer._next_train_batch(3)
    assert trainer.fetches == [3]
    asked = [messages[-1]["content"] for messages in batch["raw_prompt"]]
    assert ["Correct solution" in text for text in asked] == [True, False, True]
    assert list(batch["student_prompt"]) == [question(number) for number in range(3)]
    assert list(batch["uid"]) == ["u0", "u1", "u2"]

    meta = generated(batch, queue, render)
    before = copy.deepcopy(queue.rows)
    metrics = {"gen": 1}
    meta = trainer._balance_batch(meta, metrics=metrics)
    assert metrics == NO_FAULTS | {"gen": 1, "self_distillation/generated_by_teacher_fraction": pytest.approx(2 / 3)}
    assert meta.extra_info == {"temperature": 0.7}
    assert meta.fields is None
    for key, tag in zip(meta.keys, meta.tags, strict=True):
        number = int(key[1])
        row, prompt, response = queue.rows[key], render(question(number)), RESPONSE[: number + 1]
        assert row["raw_prompt"] == question(number)
        assert row["prompts"].tolist() == prompt
        assert row["input_ids"].tolist() == [*prompt, *response]
        assert row["position_ids"].tolist() == list(range(len(prompt) + len(response)))
        assert {row[name].dtype for name in ("prompts", "input_ids", "position_ids")} == {torch.int64}
        assert tag == queue.tags[key]
        assert tag == {
            "prompt_len": len(prompt),
            "response_len": number + 1,
            "seq_len": len(prompt) + number + 1,
            "global_steps": 4,
        }
        kept = set(row) - {"raw_prompt", "prompts", "input_ids", "position_ids"}
        assert kept == {"uid", "responses", "response_mask", "rollout_log_probs", "extra_info", "student_prompt"}
        for name in kept:
            assert row[name] is before[key][name] or str(row[name]) == str(before[key][name])


@pytest.mark.parametrize("contexts", [None, [None] * 3])
def test_without_any_context_the_teachers_rollouts_are_the_students(trainer_of, queue, render, contexts):
    trainer = trainer_of("sync", "teacher", contexts)
    batch = trainer._next_train_batch()
    assert trainer.fetches == [None]
    assert list(batch["raw_prompt"]) == [question(number) for number in range(3)]
    meta, metrics = generated(batch, queue, render), {}
    tags = copy.deepcopy(meta.tags)
    assert trainer._balance_batch(meta, metrics).tags == tags
    assert metrics == NO_FAULTS | {"self_distillation/generated_by_teacher_fraction": 0.0}


def test_the_students_rollouts_are_left_alone(trainer_of, queue, render):
    trainer = trainer_of("sync", "student", ["It is 0."] * 3)
    batch = trainer._next_train_batch()
    assert "student_prompt" not in batch.keys()  # noqa: SIM118
    assert list(batch["raw_prompt"]) == [question(number) for number in range(3)]
    meta, metrics = generated(batch, queue, render), {}
    assert trainer._balance_batch(meta, metrics=metrics) is meta
    assert metrics == NO_FAULTS


def test_a_batch_with_other_prompts_can_be_divided_among_agent_loops_and_kept_for_a_resume():
    batch = fetched(["a", "b", "c"])
    asked = [[SYSTEM, {"role": "user", "content": f"asked {number}"}] for number in range(3)]
    ours = batch_fields.ask_instead(batch, asked)
    assert list(batch["raw_prompt"]) == [question(number) for number in range(3)]
    # As AgentLoopManagerTQ and AgentLoopWorkerTQ take it apart, and _submit_batch_to_rollout selects its columns.
    rows = [chunk.get(name)[i].data for name in ("raw_prompt",) for chunk in ours.chunk(2) for i in range(len(chunk))]
    assert rows == asked
    assert all(isinstance(ours.get(name), NonTensorStack) for name in ("raw_prompt", "student_prompt"))
    assert isinstance(ours, TensorDict)
    assert ours["global_steps"] == 4


def test_shortened_demonstrations_are_told_of(trainer_of, caplog):
    trainer = trainer_of("sync", "teacher", ["ab" * 500, "D", None], max_prompt_length=260)
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        trainer._next_train_batch()
    [record] = [record for record in caplog.records if record.name.startswith("verl_sdpo")]
    assert "step 4: of 3 demonstrations 1 were shortened and 0 left out" in record.getMessage()
    assert "actor_rollout_ref.rollout.prompt_length=260 and max_reprompt_len=10240" in record.getMessage()
