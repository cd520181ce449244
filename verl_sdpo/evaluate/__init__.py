# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint on data files: responses, verdicts, averages with intervals; see docs/evaluate.md.

`options` is the command line, `model` what is evaluated, `questions` the rows and their prompts, `generate` the engine,
`judge` the verdicts, `measure` the numbers, `write` the files. `python -m verl_sdpo.evaluate` is the command.
"""
