# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny tokenizers with chat templates of several kinds, verl's own agent loops on them, a stand-in for the queue."""

import asyncio

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transfer_queue import KVBatchMeta
from transformers import PreTrainedTokenizerFast

# How Qwen3 does it: tools join the system turn, and a template argument closes the thinking.
QWEN3 = (
    "{%- if tools %}{{ '<|im_start|>system\n' }}"
    "{%- if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% endif %}"
    "{{- '# Tools' }}{% for tool in tools %}{{ '\n' + (tool | tojson) }}{% endfor %}{{ '<|im_end|>\n' }}{% endif %}"
    "{%- for message in messages %}{% if not (tools and loop.first and message.role == 'system') %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
# How Qwen2.5 does it: a chat without a system turn gets one.
QWEN2 = (
    "{%- if messages[0].role != 'system' %}"
    "{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# How Llama 3.1 does it: an empty list of tools is not none, the content is trimmed, the date is an argument.
LLAMA = (
    "{%- if tools is not defined %}{% set tools = none %}{% endif %}"
    "{{- '<|im_start|>system|' }}{% if tools is not none %}{{ 'Environment: ipython|' }}{% endif %}"
    "{{- 'Today: ' + (date_string | default('26 Jul 2024')) + '|' }}"
    "{%- if messages[0].role == 'system' %}{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}"
    "{{- '<|im_end|>' }}{% for tool in (tools or []) %}{{ tool | tojson }}{% endfor %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '|' + (message.content | trim) + '<|im_end|>' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant|' }}{% endif %}"
)
TEMPLATES = {"qwen3": QWEN3, "qwen2": QWEN2, "llama": LLAMA}


@pytest.fixture(scope="session")
def make_tokenizer():
    """`make_tokenizer("qwen3")`: one token a byte and three special tokens, so that decoding loses nothing."""

    def make(model_type="qwen3"):
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        backend = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(alphabet)}, merges=[]))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.decoder = decoders.ByteLevel()
        return PreTrainedTokenizerFast(
            tokenizer_object=backend,
            eos_token="<|im_end|>",
            pad_token="<|endoftext|>",
            additional_special_tokens=["<|im_start|>"],
            chat_template=TEMPLATES[model_type],
            clean_up_tokenization_spaces=False,
        )

    return make


@pytest.fixture
def tokenizer(make_tokenizer):
    return make_tokenizer()


class _Server:
    """A rollout server that answers every prompt with one token and the end of the turn."""

    def __init__(self, end):
        self.end = end

    async def generate(self, **_):
        from verl.workers.rollout.replica import TokenOutput

        return TokenOutput(token_ids=[0, self.end], log_probs=None)


@pytest.fixture(scope="session")
def student_prompt():
    """`student_prompt(config, tokenizer, model_type, messages, extra_info)`: what verl's agent loop sends."""
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap, ToolListWrap
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
    from verl.experimental.agent_loop.tool_agent_loop import ToolAgentLoop
    from verl.tools.tool_registry import load_all_tools
    from verl.utils.dataset.rl_dataset import RLHFDataset

    def prompt(config, tokenizer, model_type, messages, extra_info=None):
        async def sent():
            rollout = config.actor_rollout_ref.rollout
            tools = load_all_tools(rollout.multi_turn.tool_config_path, rollout.multi_turn.function_tool_path)
            arguments = {"tools": ToolListWrap(tools)} if rollout.agent.default_agent_loop == "tool_agent" else {}
            loop_class = ToolAgentLoop if arguments else SingleTurnAgentLoop
            loop = loop_class(
                trainer_config=DictConfigWrap(config),
                server_manager=_Server(tokenizer.eos_token_id),
                tokenizer=tokenizer,
                processor=None,
                dataset_cls=RLHFDataset,
                data_config=DictConfigWrap(config.data),
                hf_model_type=model_type,
                **arguments,
            )
            return await loop.run({}, raw_prompt=messages, extra_info=extra_info)

        return asyncio.run(sent()).prompt_ids

    return prompt


class FakeQueue:
    """TransferQueue's two calls, for columns that are there already; `written` is what was put."""

    def __init__(self, columns, tags=None):
        self.columns = columns
        self.tags = tags or {}
        self.written = None

    def kv_batch_get(self, keys, partition_id, select_fields):
        return {name: self.columns[name] for name in select_fields if name in self.columns}

    def kv_batch_put(self, keys, partition_id, fields):
        assert fields.batch_size[0] == len(keys)
        self.written = fields
        known = list(dict.fromkeys([*self.columns, *fields.keys()]))
        tags = [self.tags.get(key, {}) for key in keys]
        return KVBatchMeta(keys=keys, tags=tags, partition_id=partition_id, fields=known)


@pytest.fixture
def put_in_queue(monkeypatch):
    """`put_in_queue(columns)`: what `batch_fields` finds in TransferQueue from now on; `tags` by key."""
    from verl_sdpo.trainer import batch_fields

    def put(columns, tags=None):
        queue = FakeQueue(columns, tags)
        monkeypatch.setattr(batch_fields, "tq", queue)
        return queue

    return put
