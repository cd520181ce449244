# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of data files, and their prompts as tokens, rendered as the training's rollout does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from verl_sdpo.evaluate.fault import EvaluateError, one_line
from verl_sdpo.preflight.rows import parquet_rows, prompt_problem

_COLUMNS = ("data_source", "prompt", "reward_model", "extra_info")
_NEEDED = _COLUMNS[:3]


@dataclass(frozen=True)
class Question:
    """One row."""

    # Its place among all that are asked, from 0.
    number: int
    file: str
    # In its file, from 0.
    row: int
    data_source: str
    prompt: list[dict[str, Any]]
    ground_truth: Any
    extra_info: Mapping[str, Any]

    @property
    def where(self) -> str:
        return f"--data={self.file}: row {self.row}"


def read(files: Sequence[str], limit: int | None) -> list[Question]:
    """The rows of parquet files in order, of each file the first `limit`.

    Raises:
        EvaluateError: a file cannot be read, has not our columns or no rows, or a row's prompt cannot be shown.
    """
    questions: list[Question] = []
    for file in files:
        before = len(questions)
        try:
            with pq.ParquetFile(file) as opened:
                names = set(opened.schema_arrow.names)
                if missing := [name for name in _NEEDED if name not in names]:
                    raise EvaluateError(f"--data={file} has no column {missing[0]}: make it with data_preprocess")
                for row, values in parquet_rows(opened, [name for name in _COLUMNS if name in names]):
                    if limit is not None and row >= limit:
                        break
                    questions.append(_question(len(questions), file, row, values))
        except (pa.ArrowException, OSError) as error:
            raise EvaluateError(f"--data={file} cannot be read: {one_line(error)}; correct the path") from error
        if len(questions) == before:
            raise EvaluateError(f"--data={file} has no rows: leave it out")
    return questions


def _question(number: int, file: str, row: int, values: Mapping[str, Any]) -> Question:
    model = values["reward_model"]
    if problem := prompt_problem(values["prompt"]):
        raise EvaluateError(f"--data={file}: row {row}: prompt {problem}: correct the row")
    if not isinstance(model, Mapping) or "ground_truth" not in model:
        raise EvaluateError(f"--data={file}: row {row}: reward_model has no ground_truth: correct the row")
    extra_info = values.get("extra_info") or {}
    return Question(number, file, row, values["data_source"], values["prompt"], model["ground_truth"], extra_info)


def fingerprint(file: str) -> str | None:
    """The digest of the rows that data_preprocess has left in the file; None where another program wrote it."""
    found = (pq.read_metadata(file).metadata or {}).get(b"verl_sdpo.fingerprint")
    return None if found is None else found.decode()


class Prompts:
    """The tokenizer and chat template of a model.

    Args:
        path: a Hugging Face folder or hub id.
        chat_template: instead of the tokenizer's own; None: its own.
        arguments: of the chat template, verl's `data.apply_chat_template_kwargs`.

    Raises:
        EvaluateError: there is no tokenizer, or it has no chat template.
    """

    def __init__(self, path: str, chat_template: str | None, arguments: Mapping[str, Any]) -> None:
        from omegaconf import OmegaConf
        from transformers import AutoConfig
        from verl.utils.tokenizer import hf_tokenizer

        from verl_sdpo.trainer.prompt_renderer import PromptRenderer

        try:
            model_config = AutoConfig.from_pretrained(path)
            self.tokenizer = hf_tokenizer(path)
        except Exception as error:
            # Whatever a tokenizer's own code raises, or the hub.
            raise EvaluateError(
                f"MODEL={path} has no tokenizer or configuration that loads: {one_line(error)}"
            ) from error
        if chat_template is not None:
            self.tokenizer.chat_template = chat_template
        if not self.tokenizer.chat_template:
            raise EvaluateError(f"MODEL={path} has no chat template: save one with its tokenizer")
        text_config = model_config.get_text_config()
        # Of the model; None: it stretches them, and the engine knows how far.
        self.num_positions = None if _is_stretched(text_config) else text_config.max_position_embeddings
        rollout = {"agent": {}, "multi_turn": {}}
        data = {"apply_chat_template_kwargs": dict(arguments)}
        config = OmegaConf.create({"data": data, "actor_rollout_ref": {"rollout": rollout}})
        self._render = PromptRenderer(config, self.tokenizer, model_config.model_type)

    def token_ids(self, questions: Sequence[Question]) -> list[list[int]]:
        """The prompt of each question, generation prompt included.

        Raises:
            EvaluateError: the template refuses one.
        """
        rendered = []
        for question in questions:
            try:
                rendered.append(list(self._render(question.prompt, question.extra_info)))
            except Exception as error:
                # A template is a program too.
                told = f"{question.where}: the chat template refuses its prompt: {one_line(error)}"
                raise EvaluateError(f"{told}; correct the row, or --apply-chat-template-kwargs") from error
        return rendered

    def text(self, token_ids: Sequence[int]) -> str:
        """A response as verl hands it to rewards: without special tokens."""
        return self.tokenizer.decode(token_ids, skip_special_tokens=True)


def _is_stretched(text_config: Any) -> bool:
    """Whether rotary positions are scaled. transformers fills the field in also where they are not."""
    rope = getattr(text_config, "rope_scaling", None) or {}
    return rope.get("rope_type", rope.get("type", "default")) != "default"


def checked_length(prompts: Sequence[Sequence[int]], max_response_length: int, num_positions: int | None) -> int:
    """Tokens of the longest prompt and the longest response together.

    Raises:
        EvaluateError: the model has fewer positions.
    """
    longest = max(map(len, prompts))
    if num_positions is not None and longest + max_response_length > num_positions:
        room = num_positions - longest
        remedy = f"set it to at most {room}" if room > 0 else "leave that question out"
        raise EvaluateError(
            f"--max-response-length={max_response_length} and the longest prompt, {longest} tokens, do not fit into "
            f"the {num_positions} positions of the model: {remedy}"
        )
    return longest + max_response_length
