# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO (Self-Distillation Policy Optimization, arXiv 2601.20802) as a recipe on stock verl.

Importing this package has no effect and pulls in neither Ray, verl nor vLLM; `verl_sdpo.plugin` is the one module
that registers something, and verl loads it.
"""

__version__ = "0.1.0"
