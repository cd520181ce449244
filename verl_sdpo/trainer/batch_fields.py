# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a TransferQueue batch holds for SDPO, read into plain data and written back: the one file that knows its fields.

TransferQueue returns tensors as jagged nested tensors, one row a sample, and other values in containers of several
kinds, depending on its storage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
import transfer_queue as tq
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta

from verl_sdpo.trainer.advantage_estimator import Evidence
from verl_sdpo.trainer.teacher_batch import TeacherBatch
from verl_sdpo.trainer.teacher_generation import GeneratedSample
from verl_sdpo.watch.verdicts import Judged, judged

# `extra_fields` carries what the reward function returned besides the score; the last two are columns of the dataset.
_FIELDS = [
    "uid",
    "raw_prompt",
    "prompts",
    "responses",
    "loss_mask",
    "rm_scores",
    "extra_fields",
    "privileged_context",
    "extra_info",
]
# With generation_by=teacher: the question, while `raw_prompt` is what the rollout is asked.
_STUDENT_PROMPT = "student_prompt"
# Rows of samples without a target, which nobody reads: TransferQueue's rows must not be empty.
_NO_TEACHER_INPUT = [0]
# In the tag of a sample that `leave_out` has left out: it was generated, while verl's padding was not.
_IS_LEFT_OUT = "is_left_out"


def read_rollouts(batch: KVBatchMeta, tokenizer: Any) -> tuple[list[dict[str, Any]], list[list[int]], list[list[int]]]:
    """The batch's rollouts as `build_teacher_messages` takes them, their prompt ids and their response ids.

    A response in which no token is the model's own has no ids: there is nothing to learn from it.
    """
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=_FIELDS)
    prompt_ids = [row.tolist() for row in data["prompts"].unbind()]
    response_ids = [row.tolist() for row in data["responses"].unbind()]
    num_samples = len(batch)
    columns = {
        name: _plain(data[name]) if name in data.keys() else [None] * num_samples  # noqa: SIM118
        for name in ("uid", "raw_prompt", "extra_fields", "privileged_context", "extra_info")
    }
    scores = [float(row.sum()) for row in data["rm_scores"].unbind()]
    # The agent loop's mask of the model's own tokens. `response_mask` may have lost tokens to rejection sampling.
    masks = [row.tolist() for row in data["loss_mask"].unbind()]
    rollouts = []
    for index in range(num_samples):
        reward_info = (columns["extra_fields"][index] or {}).get("reward_extra_info") or {}
        feedback = reward_info.get("feedback")
        context = columns["privileged_context"][index]
        # The model's own words only: tool results stand between them with a mask of 0.
        written = [token for token, is_own in zip(response_ids[index], masks[index], strict=True) if is_own]
        rollouts.append(
            {
                "uid": str(columns["uid"][index]),
                "prompt": list(columns["raw_prompt"][index]),
                "response": tokenizer.decode(written, skip_special_tokens=True),
                "is_own": masks[index],
                "score": scores[index],
                "feedback": None if feedback is None else str(feedback),
                "privileged_context": None if context is None else str(context),
                "extra_info": columns["extra_info"][index],
                "is_padding": bool(batch.tags[index].get("is_padding", False)),
            }
        )
    own_ids = [ids if any(mask) else [] for ids, mask in zip(response_ids, masks, strict=True)]
    return rollouts, prompt_ids, own_ids


def read_judged(batch: KVBatchMeta) -> list[Judged | None]:
    """Of each of the batch's samples what its reward says about a verdict; None for padding."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["uid", "extra_fields"])
    has_info = "extra_fields" in data.keys()  # noqa: SIM118
    extra_fields = _plain(data["extra_fields"]) if has_info else [None] * len(batch)
    rows = zip(_plain(data["uid"]), extra_fields, batch.tags, strict=True)
    return [
        None if tag.get("is_padding", False) else judged(str(uid), (fields or {}).get("reward_extra_info"))
        for uid, fields, tag in rows
    ]


def leave_out(batch: KVBatchMeta, rows: Sequence[int]) -> KVBatchMeta:
    """The batch in which some samples are to verl and to us what verl's padding is: there, and without influence.

    No token of theirs counts (`response_mask` and `loss_mask`, jagged `(bsz, R)`, are 0), they are no members of their
    question's group (`uid` is their own key), and their tags have `is_padding`. Their words and scores stay.
    """
    if not rows:
        return batch
    keys = [batch.keys[row] for row in rows]
    data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["response_mask"])
    zeros = [torch.zeros_like(mask) for mask in data["response_mask"].unbind()]
    nested = torch.nested.as_nested_tensor(zeros, layout=torch.jagged)
    fields = TensorDict(
        {"uid": NonTensorStack(*keys), "response_mask": nested, "loss_mask": nested.clone()}, batch_size=len(keys)
    )
    tags = list(batch.tags)
    for row in rows:
        tags[row] = tags[row] | {"is_padding": True, _IS_LEFT_OUT: True}
    tq.kv_batch_put(keys=keys, partition_id=batch.partition_id, fields=fields, tags=[tags[row] for row in rows])
    return dataclasses.replace(batch, tags=tags)


def has_samples(batch: KVBatchMeta) -> bool:
    """Whether any sample counts: one that is neither padding nor left out."""
    return any(not tag.get("is_padding", False) for tag in batch.tags)


def join_groups(batch: KVBatchMeta, uid: str) -> KVBatchMeta:
    """Make all samples of the batch one question's group, whichever rows of it they were asked by."""
    fields = TensorDict({"uid": NonTensorStack(*[uid] * len(batch))}, batch_size=len(batch))
    tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)
    return batch


def num_generated(batch: KVBatchMeta) -> int:
    """Samples that the rollout made: all but verl's padding."""
    return sum(bool(tag.get(_IS_LEFT_OUT, not tag.get("is_padding", False))) for tag in batch.tags)


def write_teacher_inputs(batch: KVBatchMeta, teacher_batch: TeacherBatch) -> KVBatchMeta:
    """Store what the workers need of `teacher_batch` with the batch's samples.

    `teacher_input_ids`, jagged `(bsz, *)`, and `self_distillation_mask` `(bsz,)`; where samples are weighted also
    `self_distillation_weight` and `policy_gradient_weight`, both `(bsz,)`.

    Returns the batch that knows of them: workers are handed the fields that it names.
    """
    input_ids = teacher_batch.input_ids
    rows = [torch.tensor(_NO_TEACHER_INPUT if ids is None else ids, dtype=torch.int64) for ids in input_ids]
    fields = {
        "teacher_input_ids": torch.nested.as_nested_tensor(rows, layout=torch.jagged),
        "self_distillation_mask": torch.tensor([float(ids is not None) for ids in input_ids]),
    }
    if teacher_batch.weights is not None:
        fields["self_distillation_weight"] = torch.tensor(teacher_batch.weights.distillation)
        fields["policy_gradient_weight"] = torch.tensor(teacher_batch.weights.policy_gradient)
    return tq.kv_batch_put(
        keys=batch.keys, partition_id=batch.partition_id, fields=TensorDict(fields, batch_size=len(batch))
    )


def read_questions(batch: TensorDict) -> list[dict[str, Any]]:
    """Of a batch of dataset rows that is on its way to the rollout: what `generation_prompts` takes."""
    names = ("raw_prompt", "privileged_context", "extra_info")
    columns = [_plain(batch[name]) if name in batch.keys() else [None] * len(batch) for name in names]  # noqa: SIM118
    return [
        {
            "prompt": list(messages),
            "privileged_context": None if context is None else str(context),
            "extra_info": extra_info,
        }
        for messages, context, extra_info in zip(*columns, strict=True)
    ]


def ask_instead(batch: TensorDict, messages: Sequence[list[dict[str, Any]]]) -> TensorDict:
    """The batch with other prompts for the rollout. The rows' own stay with the samples, and so does `uid`."""
    questions = [list(each) for each in _plain(batch["raw_prompt"])]
    columns = {"raw_prompt": NonTensorStack(*messages), _STUDENT_PROMPT: NonTensorStack(*questions)}
    return batch.copy().update(columns)


def read_generated(batch: KVBatchMeta) -> list[GeneratedSample]:
    """The batch's samples as the rollout left them."""
    names = ["raw_prompt", _STUDENT_PROMPT, "prompts", "responses", "extra_info"]
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=names)
    extra_info = _plain(data["extra_info"]) if "extra_info" in data.keys() else [None] * len(batch)  # noqa: SIM118
    return [
        GeneratedSample(list(asked), prompt.tolist(), list(question), response.tolist(), info)
        for asked, prompt, question, response, info in zip(
            _plain(data["raw_prompt"]),
            data["prompts"].unbind(),
            _plain(data[_STUDENT_PROMPT]),
            data["responses"].unbind(),
            extra_info,
            strict=True,
        )
    ]


def write_student_prompts(
    batch: KVBatchMeta, samples: Sequence[GeneratedSample], prompt_ids: Sequence[Sequence[int]]
) -> KVBatchMeta:
    """Make the question each sample's prompt: in all fields, and in the lengths of its tag, that speak of the prompt.

    `raw_prompt`; `prompts`, jagged `(bsz, P)`; `input_ids` and `position_ids`, jagged `(bsz, P+R)`. Written by verl's
    `AgentLoopWorkerTQ._agent_loop_postprocess`; what it writes besides is about the response alone.
    """
    prompts = [torch.tensor(ids, dtype=torch.int64) for ids in prompt_ids]
    inputs = [
        torch.cat([prompt, torch.tensor(sample.response_ids, dtype=torch.int64)])
        for prompt, sample in zip(prompts, samples, strict=True)
    ]
    fields = {
        "raw_prompt": NonTensorStack(*[sample.student_messages for sample in samples]),
        "prompts": torch.nested.as_nested_tensor(prompts, layout=torch.jagged),
        "input_ids": torch.nested.as_nested_tensor(inputs, layout=torch.jagged),
        "position_ids": torch.nested.as_nested_tensor([torch.arange(len(ids)) for ids in inputs], layout=torch.jagged),
    }
    tags = [
        tag | {"prompt_len": len(prompt), "seq_len": len(ids)}
        for tag, prompt, ids in zip(batch.tags, prompts, inputs, strict=True)
    ]
    tq.kv_batch_put(
        keys=batch.keys, partition_id=batch.partition_id, fields=TensorDict(fields, batch_size=len(batch)), tags=tags
    )
    return dataclasses.replace(batch, tags=tags)


def write_placeholder_log_probs(batch: KVBatchMeta) -> KVBatchMeta:
    """`old_log_probs`, jagged `(bsz, R)`, for verl's steps that read them: the rollout's, or zeros where it has none.

    The update of such a step makes its own.
    """
    data = tq.kv_batch_get(
        keys=batch.keys, partition_id=batch.partition_id, select_fields=["rollout_log_probs", "response_mask"]
    )
    has_own = "rollout_log_probs" in data.keys()  # noqa: SIM118
    log_probs = data["rollout_log_probs"] if has_own else torch.zeros_like(data["response_mask"], dtype=torch.float32)
    fields = TensorDict({"old_log_probs": log_probs}, batch_size=len(batch))
    return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)


def read_evidence(batch: KVBatchMeta) -> Evidence:
    """What student and teacher said about the sampled tokens, padded as verl pads for its estimators."""
    names = ["old_log_probs", "teacher_log_probs", "teacher_target_mask"]
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=names)
    return Evidence(*(data[name].to_padded_tensor(0) for name in names), final_outputs=_final_outputs(batch.keys))


def _final_outputs(keys: Sequence[str]) -> torch.Tensor:
    """`(bsz,)`: the row of the last output of each row's session. verl's keys are `<uid>_<session>_<output>`."""
    last: dict[str, tuple[int, int]] = {}
    sessions = []
    for row, key in enumerate(keys):
        session, _, output = key.rpartition("_")
        sessions.append(session)
        last[session] = max(last.get(session, (-1, -1)), (int(output), row))
    return torch.tensor([last[session][1] for session in sessions])


def _plain(values: Any) -> list[Any]:
    items = values.tolist() if hasattr(values, "tolist") else list(values)
    return [getattr(item, "data", item) if type(item).__name__ == "NonTensorData" else item for item in items]
