# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's vLLM server around an engine that is made up, for test_vllm_server.py; in a process of its own, which imports
vLLM as a run does. Writes JSON."""

import asyncio
import json
import os
import sys
from types import SimpleNamespace

from verl.workers.rollout.replica import get_rollout_replica_class

from verl_sdpo.rollout import vllm_server

REASONS = ["length", "stop", "abort", "repetition", None]


class Engine:
    """Says in its last output what the request's id asks for; before that, as vLLM does, nothing."""

    num_calls = 0

    async def generate(self, prompt, sampling_params, request_id, **_):
        self.num_calls += 1
        for last in (False, True):
            await asyncio.sleep(0)
            reason = REASONS[int(request_id)] if last else None
            output = SimpleNamespace(token_ids=[5], logprobs=None, finish_reason=reason)
            yield SimpleNamespace(outputs=[] if request_id == "4" and last else [output], num_cached_tokens=0)


def server():
    """The server, without starting vLLM."""
    made = object.__new__(vllm_server.StopReasonServer)
    rollout = {"max_model_len": 64, "response_length": 4, "prompt_length": 8, "full_determinism": False, "mtp": None}
    rollout |= {"enable_rollout_routing_replay": False}
    made.config = type("Config", (), rollout | {"get": lambda self, name, default: default})()
    made.model_config = SimpleNamespace(processor=None, lora_rank=0, lora={"rank": 0, "merge": False})
    made._disaggregation_role, made._pd_decode_peers = "null", []
    made.global_steps = made.replica_rank = made._admitting = 0

    async def admit(request_id):
        made._admitting += 1

    made._park_until_admitted = admit
    made.engine = Engine()
    return made


def batch_invariance():
    """The environment's word after a server was made that sets it as verl's does with `full_determinism`."""

    def as_verl(self):
        os.environ["VLLM_BATCH_INVARIANT"] = "1"

    original = vllm_server.vLLMHttpServer.__init__
    vllm_server.vLLMHttpServer.__init__ = as_verl
    vllm_server.StopReasonServer()
    vllm_server.vLLMHttpServer.__init__ = original
    return os.environ["VLLM_BATCH_INVARIANT"]


async def main():
    made = server()
    numbers = range(len(REASONS))
    together = await asyncio.gather(*[made.generate([1], {}, request_id=str(number)) for number in numbers])
    in_turn = [await made.generate([1], {}, request_id=str(number)) for number in numbers]
    vllm_server.register()
    replica = get_rollout_replica_class("vllm")
    sys.stdout.write(
        json.dumps(
            {
                "together": [output.stop_reason for output in together],
                "in_turn": [output.stop_reason for output in in_turn],
                "num_calls": made.engine.num_calls,
                "replica": replica.__name__,
                "batch_invariance": batch_invariance(),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
