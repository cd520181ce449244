# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The student's way from chat messages to prompt tokens, for the teacher's prompts.

verl's agent loops tokenize with a "continuous token builder" made from the tokenizer, the model type, and
`data.apply_chat_template_kwargs` (`verl/experimental/agent_loop/agent_loop.py`, verl 0.9.1), and hand it the schemas of
the run's tools. The same builder with the same arguments is what makes both prompts equal token for token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from verl.tools.tool_registry import load_all_tools
from verl.utils.import_utils import resolve_config_path
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

# Of verl's own agent loops, the one that shows its tools to the model.
_TOOL_AGENT = "tool_agent"


class PromptRenderer:
    """Renders prompts as the run's agent loop does.

    Args:
        config: the run's configuration.
        tokenizer: the student's tokenizer; it is not changed.
        model_type: `model_type` of the model's Hugging Face config.
    """

    def __init__(self, config: DictConfig, tokenizer: Any, model_type: str | None) -> None:
        arguments = config.data.get("apply_chat_template_kwargs") or {}
        if OmegaConf.is_config(arguments):
            arguments = OmegaConf.to_container(arguments, resolve=True)
        self._builder = create_continuous_token_builder(
            tokenizer, hf_model_type=model_type, chat_template_kwargs=arguments
        )
        self._tools = _tool_schemas(config)

    def __call__(self, messages: list[dict[str, Any]], extra_info: Mapping[str, Any] | None = None) -> list[int]:
        """Token ids of the prompt, generation prompt included."""
        tools = self._tools
        selection = (extra_info or {}).get("tool_selection")
        if tools and selection:
            tools = {name: tools[name] for name in selection if name in tools}
        # An empty list is not None: Llama's templates announce tools for the one and not for the other.
        return self._builder.build_initial_tokens(messages, tools=None if tools is None else list(tools.values()))


def _tool_schemas(config: DictConfig) -> dict[str, dict] | None:
    """Schemas by tool name; None where the agent loop shows no tools to the model."""
    rollout = config.actor_rollout_ref.rollout
    if rollout.agent.get("default_agent_loop") != _TOOL_AGENT:
        return None
    paths = {key: rollout.multi_turn.get(key) for key in ("tool_config_path", "function_tool_path")}
    tools = load_all_tools(**{key: resolve_config_path(path) if path else None for key, path in paths.items()})
    return {tool.name: tool.tool_schema.model_dump(exclude_unset=True, exclude_none=True) for tool in tools}
