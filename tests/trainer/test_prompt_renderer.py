# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The teacher's prompts are rendered as the student's. The oracle is what verl's own agent loops send to the server."""

import pytest

from verl_sdpo.trainer.prompt_renderer import PromptRenderer

USER = {"role": "user", "content": "Wieviel ist 2 + 2?\nÜberlege. "}
CHATS = {
    "user": [USER],
    "system and user": [{"role": "system", "content": "Be brief."}, USER],
    "earlier turns": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}, USER],
}
TOOLS = '''
from verl.tools.function_tool import function_tool

@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.
    """
    return a + b

@function_tool
def now() -> str:
    """Tell the time."""
    return "noon"
'''


@pytest.fixture
def tools_path(tmp_path, monkeypatch):
    from verl.tools import function_tool

    monkeypatch.setattr(function_tool, "FUNCTION_TOOL_REGISTRY", {})
    path = tmp_path / "tools.py"
    path.write_text(TOOLS)
    return str(path)


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS)
@pytest.mark.parametrize(
    "arguments", [{}, {"enable_thinking": False}, {"enable_thinking": True, "date_string": "1 May"}]
)
@pytest.mark.parametrize("model_type", ["qwen3", "qwen2", "llama"])
def test_prompt_is_the_students_for_every_template_and_its_arguments(
    compose, make_tokenizer, student_prompt, model_type, arguments, chat
):
    config = compose("sdpo_trainer_cpu")
    config.data.apply_chat_template_kwargs = arguments
    tokenizer = make_tokenizer(model_type)
    rendered = PromptRenderer(config, tokenizer, model_type)(chat)
    assert rendered == student_prompt(config, tokenizer, model_type, chat)


def test_template_arguments_reach_the_prompt(compose, tokenizer):
    config = compose("sdpo_trainer_cpu")
    config.data.apply_chat_template_kwargs = {"enable_thinking": False}
    text = tokenizer.decode(PromptRenderer(config, tokenizer, "qwen3")([USER]))
    assert text == f"<|im_start|>user\n{USER['content']}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


@pytest.mark.parametrize(
    ("extra_info", "shown"),
    [
        (None, ["add", "now"]),
        ({"tool_selection": ["now"]}, ["now"]),
        ({"tool_selection": ["now", "add"]}, ["now", "add"]),
        ({"tool_selection": ["now", "now"]}, ["now"]),
        ({"tool_selection": ["gone"]}, []),
        ({"tool_selection": []}, ["add", "now"]),
        ({"tool_selection": None, "index": 3}, ["add", "now"]),
    ],
)
@pytest.mark.parametrize("model_type", ["qwen3", "llama"])
def test_tools_stand_in_the_prompt_as_in_the_students(
    compose, make_tokenizer, student_prompt, tools_path, model_type, extra_info, shown
):
    config = compose("sdpo_trainer_cpu")
    config.actor_rollout_ref.rollout.agent.default_agent_loop = "tool_agent"
    config.actor_rollout_ref.rollout.multi_turn.function_tool_path = tools_path
    tokenizer = make_tokenizer(model_type)
    rendered = PromptRenderer(config, tokenizer, model_type)([USER], extra_info)
    text = tokenizer.decode(rendered)
    assert [name for name in sorted(("add", "now"), key=text.find) if f'"{name}"' in text] == shown
    assert rendered == student_prompt(config, tokenizer, model_type, [USER], extra_info)


@pytest.mark.parametrize("model_type", ["qwen3", "llama"])
def test_a_tool_agent_without_tools_prompts_as_the_students_does(compose, make_tokenizer, student_prompt, model_type):
    config = compose("sdpo_trainer_cpu")
    config.actor_rollout_ref.rollout.agent.default_agent_loop = "tool_agent"
    tokenizer = make_tokenizer(model_type)
    rendered = PromptRenderer(config, tokenizer, model_type)([USER])
    assert rendered == student_prompt(config, tokenizer, model_type, [USER])


def test_an_agent_loop_that_shows_no_tools_gets_none(compose, tokenizer, student_prompt, tools_path):
    config = compose("sdpo_trainer_cpu")
    config.actor_rollout_ref.rollout.multi_turn.function_tool_path = tools_path
    rendered = PromptRenderer(config, tokenizer, "qwen3")([USER])
    assert "# Tools" not in tokenizer.decode(rendered)
    assert rendered == student_prompt(config, tokenizer, "qwen3", [USER])


def test_rendering_leaves_tokenizer_messages_and_configuration_as_they_were(compose, tokenizer):
    config = compose("sdpo_trainer_cpu")
    config.data.apply_chat_template_kwargs = {"enable_thinking": False}
    untouched = compose("sdpo_trainer_cpu")
    untouched.data.apply_chat_template_kwargs = {"enable_thinking": False}
    before = {key: getattr(tokenizer, key) for key in ("truncation_side", "padding_side", "chat_template")}
    messages = [dict(USER)]
    PromptRenderer(config, tokenizer, "qwen3")(messages)
    assert messages == [USER]
    assert config == untouched
    assert {key: getattr(tokenizer, key) for key in before} == before
