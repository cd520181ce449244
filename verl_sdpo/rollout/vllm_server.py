# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""vLLM's reason for ending a response, which verl 0.9.1 makes "completed" whether it is "stop" or "length".

verl's server calls `self.engine.generate` and keeps the last output (`vLLMHttpServer.generate` in
`workers/rollout/vllm_rollout/vllm_async_server.py`); here the engine is one that remembers what that output said. verl
finds the server's class through `RolloutReplicaRegistry` (`workers/rollout/replica.py`). With prefill and decoding on
different machines (`rollout.disaggregation`) verl takes a class that is in no registry, and the reason stays unknown.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import AsyncIterator
from typing import Any

import ray
from verl.plugin.platform import get_platform
from verl.workers.rollout.replica import RolloutReplicaRegistry, TokenOutput
from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer, vLLMReplica

# One for each call of `generate`: Ray runs each in an asyncio task of its own.
_FINISH_REASON: contextvars.ContextVar[str | None] = contextvars.ContextVar("finish_reason", default=None)


class RememberingEngine:
    """vLLM's engine; of the running request it remembers why the response ended."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def generate(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The engine's outputs, unchanged."""
        async for output in self._engine.generate(*args, **kwargs):
            _FINISH_REASON.set(output.outputs[0].finish_reason if output.outputs else None)
            yield output


class StopReasonServer(vLLMHttpServer):
    """verl's server, whose outputs say "stop" or "length" where verl's say "completed"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if get_platform().device_name == "cpu":
            # verl sets it for `full_determinism`. It stands for kernels that a CPU does not have: vLLM's engine, which
            # starts later and inherits it, dies of the first request.
            os.environ["VLLM_BATCH_INVARIANT"] = "0"

    @property
    def engine(self) -> Any:
        """What verl's `run_server` has set."""
        return self._remembering_engine

    @engine.setter
    def engine(self, engine: Any) -> None:
        self._remembering_engine = RememberingEngine(engine)

    async def check_engine(self) -> None:
        """Whether this server's engine lives, for those who ask why nothing comes of it.

        Raises:
            vllm.v1.engine.exceptions.EngineDeadError: its process has ended.
        """
        # Of a replica's servers on several machines the first one alone has the engine.
        if (engine := getattr(self, "_remembering_engine", None)) is not None:
            await engine.check_health()

    async def generate(self, *args: Any, **kwargs: Any) -> TokenOutput:
        _FINISH_REASON.set(None)
        output = await super().generate(*args, **kwargs)
        if output.stop_reason == "completed":
            output.stop_reason = _FINISH_REASON.get() or output.stop_reason
        return output


class StopReasonReplica(vLLMReplica):
    """verl's replica with that server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server_class = ray.remote(StopReasonServer)


def register() -> None:
    """Let verl's registry of this process answer "vllm" with that replica."""
    RolloutReplicaRegistry.register("vllm", lambda: StopReasonReplica)
