# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that survive a kill at any instant, and that say what is in them; see docs/reliability.md.

Files and folders only: `durable` writes and syncs, `manifest` marks a folder complete and checks it, `store` has a
run's folder with its tracker and its retention, `facts` compares what must be the same on resume, `export` makes a
Hugging Face folder. `python -m verl_sdpo.checkpoint` is the command; `verl_sdpo.trainer.checkpoints` brings it to verl.
"""
