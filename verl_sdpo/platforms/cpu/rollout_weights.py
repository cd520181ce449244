# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Weight sync from the trainer into vLLM on a CPU.

Without device IPC verl hands weights over in buckets through shared memory
(`verl/workers/rollout/vllm_rollout/bucketed_weight_transfer.py`). Two things differ on a CPU:

- the receiver's `tensor.to(device)` copies nothing there, so tensors would point into a segment that is about to close;
- vLLM's CPU linear layers pack their weights after loading and drop the originals, so `model.load_weights` bucket by
  bucket has nothing to load into. vLLM's `reload_weights` rebuilds them, from the whole set of weights at once.
"""

from __future__ import annotations

import torch

from verl_sdpo.platforms.cpu.platform_selection import is_selected


def _update_weights_from_ipc(
    self, peft_config: dict | None = None, base_sync_done: bool = False, use_shm: bool = False
):
    """Stand-in for verl's method of the same name, for full weights on a CPU."""
    from verl.workers.rollout.vllm_rollout.bucketed_weight_transfer import BucketedWeightReceiver

    if peft_config:
        raise NotImplementedError(
            "LoRA adapters cannot be sent to vLLM on a CPU; set actor_rollout_ref.model.lora.merge=True to send "
            "merged weights"
        )
    weights: dict[str, torch.Tensor] = {}
    receiver = BucketedWeightReceiver(zmq_handle=self._get_zmq_handle(), device=torch.device("cpu"), use_shm=use_shm)
    receiver.receive_weights(
        on_bucket_received=lambda bucket, is_last: weights.update((name, tensor.clone()) for name, tensor in bucket)
    )
    dtype = self.model_runner.model_config.dtype
    self.model_runner.reload_weights(weights_iterator=((name, tensor.to(dtype)) for name, tensor in weights.items()))


def install() -> None:
    """vLLM's `general_plugins` hook: runs in every engine process. Replaces one method, on the CPU only."""
    if not is_selected():
        return
    from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension

    vLLMColocateWorkerExtension.update_weights_from_ipc = _update_weights_from_ipc
