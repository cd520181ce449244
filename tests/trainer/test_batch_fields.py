# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Reading and writing a TransferQueue batch, in every kind of container that comes out of it."""

import dataclasses

import numpy as np
import pytest
import torch
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta

from verl_sdpo.algorithm.reprompt import RepromptConfig, plan_reprompts
from verl_sdpo.algorithm.sample_weights import SampleWeights
from verl_sdpo.trainer.batch_fields import join_groups, read_evidence, read_rollouts, write_teacher_inputs
from verl_sdpo.trainer.teacher_batch import TeacherBatch, build_teacher_batch

IM_END = 256


def jagged(rows, dtype=torch.int64):
    return torch.nested.as_nested_tensor([torch.tensor(row, dtype=dtype) for row in rows], layout=torch.jagged)


def linked_list(values):
    """What a TensorDict hands out for a stack of values."""
    return TensorDict({"field": NonTensorStack(*values)}, batch_size=[len(values)])["field"]


def object_array(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


CONTAINERS = {
    "LinkedList": linked_list,
    "NonTensorStack": lambda values: NonTensorStack(*values),
    "numpy": object_array,
    "list": list,
}


@pytest.fixture(params=CONTAINERS.values(), ids=CONTAINERS)
def container(request):
    return request.param


@pytest.fixture
def columns(container, tokenizer):
    """Four samples of two questions; the third has no feedback, the fourth no reward information at all."""
    responses = [[*tokenizer.encode(text), IM_END] for text in ("one", "two", "three")] + [[]]
    return {
        "uid": container(["q0", "q0", "q1", "q1"]),
        "raw_prompt": container([[{"role": "user", "content": f"Question {number}"}] for number in range(4)]),
        "prompts": jagged([[1, 2], [3], [4, 5, 6], [7]]),
        "responses": jagged(responses),
        "loss_mask": jagged([[1] * len(row) for row in responses]),
        "rm_scores": jagged([[0.0, 0.25, 0.5], [0.0], [-1.0, 0.0], []], torch.float32),
        "extra_fields": container(
            [
                {"reward_extra_info": {"feedback": "first", "acc": 0}, "turn_scores": []},
                {"reward_extra_info": {"acc": 1, "feedback": "second"}},
                {"reward_extra_info": {"acc": 1}},
                {},
            ]
        ),
    }


def meta(num_samples, padding=()):
    return KVBatchMeta(
        keys=[f"q_{number}_0" for number in range(num_samples)],
        tags=[{"is_padding": True} if number in padding else {"status": "success"} for number in range(num_samples)],
        partition_id="train",
    )


def test_every_sample_keeps_its_own_texts_and_tokens(put_in_queue, columns, tokenizer):
    put_in_queue(columns)
    rollouts, prompt_ids, response_ids = read_rollouts(meta(4), tokenizer)
    assert [each["uid"] for each in rollouts] == ["q0", "q0", "q1", "q1"]
    assert [each["prompt"] for each in rollouts] == [
        [{"role": "user", "content": f"Question {number}"}] for number in range(4)
    ]
    assert [each["response"] for each in rollouts] == ["one", "two", "three", ""]
    assert [each["score"] for each in rollouts] == [0.75, 0.0, -1.0, 0.0]
    assert prompt_ids == [[1, 2], [3], [4, 5, 6], [7]]
    assert response_ids[:3] == [[*tokenizer.encode(text), IM_END] for text in ("one", "two", "three")]
    assert response_ids[3] == []
    assert [each["is_own"] for each in rollouts] == [[1] * len(ids) for ids in response_ids]


def test_feedback_stays_with_its_sample_where_others_have_none(put_in_queue, columns, tokenizer):
    put_in_queue(columns)
    rollouts, _, _ = read_rollouts(meta(4), tokenizer)
    assert [each["feedback"] for each in rollouts] == ["first", "second", None, None]


def test_feedback_of_the_first_sample_is_not_needed(put_in_queue, columns, container, tokenizer):
    put_in_queue(columns | {"extra_fields": container([{}, None, {"reward_extra_info": {"feedback": "third"}}, None])})
    rollouts, _, _ = read_rollouts(meta(4), tokenizer)
    assert [each["feedback"] for each in rollouts] == [None, None, "third", None]


def test_numpy_strings_become_plain_ones(put_in_queue, columns, container, tokenizer):
    # A reward manager that gathers a key over the batch leaves elements of a fixed-width array.
    texts = np.array(["no", "the longest feedback", "", "x"])
    put_in_queue(columns | {"extra_fields": container([{"reward_extra_info": {"feedback": text}} for text in texts])})
    rollouts, _, _ = read_rollouts(meta(4), tokenizer)
    assert [each["feedback"] for each in rollouts] == ["no", "the longest feedback", "", "x"]
    assert {type(each["feedback"]) for each in rollouts} == {str}


@pytest.mark.parametrize("present", [True, False])
def test_dataset_columns_may_be_missing_or_null(put_in_queue, columns, container, tokenizer, present):
    added = {
        "privileged_context": container(["hint", None, None, "other"]),
        "extra_info": container([{"index": 0}, None, {"tool_selection": ["add"]}, {}]),
    }
    put_in_queue(columns | (added if present else {}))
    rollouts, _, _ = read_rollouts(meta(4), tokenizer)
    contexts, infos = ["hint", None, None, "other"], [{"index": 0}, None, {"tool_selection": ["add"]}, {}]
    assert [each["privileged_context"] for each in rollouts] == (contexts if present else [None] * 4)
    assert [each["extra_info"] for each in rollouts] == (infos if present else [None] * 4)


def test_a_column_of_nulls_is_no_context(put_in_queue, columns, container, tokenizer):
    put_in_queue(columns | {"privileged_context": container([None] * 4)})
    rollouts, _, _ = read_rollouts(meta(4), tokenizer)
    assert [each["privileged_context"] for each in rollouts] == [None] * 4


def test_tool_results_are_not_the_models_words_but_stay_in_its_tokens(put_in_queue, columns, tokenizer):
    call, result, answer = (tokenizer.encode(text) for text in ("<call>", "<|im_start|>tool 42", "It is 42."))
    tokens = [*call, IM_END, *result, *answer, IM_END]
    mask = [1] * (len(call) + 1) + [0] * len(result) + [1] * (len(answer) + 1)
    changed = {
        "responses": jagged([tokens, [72], [72], [72]]),
        "loss_mask": jagged([mask, [1], [0], [1]]),
    }
    put_in_queue(columns | changed)
    rollouts, _, response_ids = read_rollouts(meta(4), tokenizer)
    assert rollouts[0]["response"] == "<call>It is 42."
    assert rollouts[2]["response"] == ""
    assert response_ids[0] == tokens


def test_a_response_without_a_token_of_the_models_own_has_no_ids_and_no_target(put_in_queue, columns, tokenizer):
    # The end of a turn in place of an empty response; an end that the model has written counts.
    changed = {
        "responses": jagged([[IM_END], [IM_END], [IM_END + 1, IM_END + 2, IM_END], [7]]),
        "loss_mask": jagged([[0], [1], [1, 1, 1], [0]]),
        "rm_scores": jagged([[0.0], [0.0], [0.0] * 3, [0.0]], torch.float32),
    }
    put_in_queue(columns | changed)
    rollouts, _, response_ids = read_rollouts(meta(4), tokenizer)
    assert [each["response"] for each in rollouts] == [""] * 4
    assert response_ids == [[], [IM_END], [IM_END + 1, IM_END + 2, IM_END], []]
    for each in rollouts:
        each["feedback"] = "Nothing there."
    render = lambda messages, _: [1] * len(str(messages))  # noqa: E731
    assert build_teacher_batch(rollouts, response_ids, RepromptConfig(), render).has_target == [
        False,
        True,
        True,
        False,
    ]


def test_padding_is_what_the_tags_say(put_in_queue, columns, tokenizer):
    put_in_queue(columns)
    rollouts, _, _ = read_rollouts(meta(4, padding=(1, 3)), tokenizer)
    assert [each["is_padding"] for each in rollouts] == [False, True, False, True]


def test_one_sample_is_read_as_many_are(put_in_queue, container, tokenizer):
    put_in_queue(
        {
            "uid": container(["only"]),
            "raw_prompt": container([[{"role": "user", "content": "Q"}]]),
            "prompts": jagged([[1, 2]]),
            "responses": jagged([[64]]),
            "loss_mask": jagged([[1]]),
            "rm_scores": jagged([[1.0]], torch.float32),
            "extra_fields": container([{"reward_extra_info": {"feedback": "f"}}]),
        }
    )
    [only], prompt_ids, response_ids = read_rollouts(meta(1), tokenizer)
    assert (only["uid"], only["feedback"], only["score"]) == ("only", "f", 1.0)
    assert (prompt_ids, response_ids) == ([[1, 2]], [[64]])


def test_teacher_inputs_are_stored_with_their_samples_and_named_to_the_workers(put_in_queue):
    queue = put_in_queue({"uid": ["a", "b", "c"]})
    batch = write_teacher_inputs(meta(3), TeacherBatch([[5, 6, 7], None, [8]], None, {}))
    rows = [row.tolist() for row in queue.written["teacher_input_ids"].unbind()]
    assert rows[0] == [5, 6, 7]
    assert rows[2] == [8]
    assert queue.written["teacher_input_ids"].dtype == torch.int64
    assert queue.written["self_distillation_mask"].tolist() == [1.0, 0.0, 1.0]
    # Without weights there are no fields of weights: the workers then count all samples alike.
    assert set(queue.written.keys()) == {"teacher_input_ids", "self_distillation_mask"}
    assert {"teacher_input_ids", "self_distillation_mask"} <= set(batch.fields)
    assert batch.keys == meta(3).keys


def test_weights_are_stored_with_their_samples_and_named_to_the_workers(put_in_queue):
    queue = put_in_queue({})
    weights = SampleWeights(distillation=[0.5, 0.0, 1.5], policy_gradient=[1.0, 1.0, 0.0])
    batch = write_teacher_inputs(meta(3), TeacherBatch([[5], None, [8]], weights, {}))
    assert queue.written["self_distillation_weight"].tolist() == [0.5, 0.0, 1.5]
    assert queue.written["policy_gradient_weight"].tolist() == [1.0, 1.0, 0.0]
    assert {"self_distillation_weight", "policy_gradient_weight"} <= set(batch.fields)


def test_the_evidence_is_padded_on_the_right_with_zeros(put_in_queue):
    put_in_queue(
        {
            "old_log_probs": jagged([[-1.0, -2.0, -3.0], [-4.0]], torch.float32),
            "teacher_log_probs": jagged([[-1.5, 0.0, -2.5], [-3.5]], torch.float32),
            "teacher_target_mask": jagged([[1, 0, 1], [1]]),
        }
    )
    evidence = read_evidence(meta(2))
    assert evidence.student_log_probs.tolist() == [[-1.0, -2.0, -3.0], [-4.0, 0.0, 0.0]]
    assert evidence.teacher_log_probs.tolist() == [[-1.5, 0.0, -2.5], [-3.5, 0.0, 0.0]]
    assert evidence.target_mask.tolist() == [[1, 0, 1], [1, 0, 0]]
    assert evidence.final_outputs.tolist() == [0, 1]


def test_outputs_of_one_session_name_its_last_one(put_in_queue):
    put_in_queue(dict.fromkeys(("old_log_probs", "teacher_log_probs", "teacher_target_mask"), jagged([[1]] * 6)))
    keys = ["a_b_0_9", "a_b_1_0", "a_b_0_10", "c_0_0", "c_1_1", "c_1_0"]
    batch = dataclasses.replace(meta(6), keys=keys)
    assert read_evidence(batch).final_outputs.tolist() == [2, 1, 2, 3, 4, 4]


def test_rows_without_a_target_are_not_empty(put_in_queue):
    # Nobody reads them, yet TransferQueue's rows must not be empty.
    queue = put_in_queue({})
    write_teacher_inputs(meta(2), TeacherBatch([None, None], None, {}))
    assert queue.written["teacher_input_ids"].offsets().diff().min() > 0
    assert queue.written["self_distillation_mask"].tolist() == [0.0, 0.0]


def test_rows_of_one_question_are_joined_to_a_group_that_shares_its_demonstrations(put_in_queue, columns, tokenizer):
    batch = KVBatchMeta(keys=["a", "b", "c", "d"], tags=[{}] * 4, partition_id="train")

    def shown(columns):
        queue = put_in_queue(columns)
        plans = plan_reprompts(read_rollouts(batch, tokenizer)[0], RepromptConfig())
        return [plan.demonstration for plan in plans], queue

    # The first sample succeeds. Rows apart, as in a batch that has the question twice, only the second sees it.
    apart, queue = shown(columns)
    assert apart == [None, "one", None, None]
    assert join_groups(batch, "question-7") == batch
    joined, _ = shown(columns | {"uid": queue.written["uid"]})
    assert joined == [None, "one", "one", "one"]
