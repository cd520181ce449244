# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# A virtual environment with this package in it; sourced by the other scripts. Needs Python and pip, nothing else.
#
#   ensure_venv EXTRAS     e.g. ensure_venv cpu,test. Installs what is not there yet; sets and exports PYTHON.
#
# VENV=DIR puts the environment elsewhere (default .venv in the repository); PYTHON_BIN=... picks the interpreter.

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${VENV:-$REPOSITORY/.venv}"

fail() {
    echo "error: $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON_BIN:-python3.11 python3.12 python3.13 python3 python}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 to 3.13 found (looked for: ${PYTHON_BIN:-python3.11 python3.12 python3.13 python3 python})." \
        "Install one, or name it: PYTHON_BIN=/path/to/python"
}

# torchvision, torchaudio and torchcodec come along with vLLM unpinned; builds for another torch break
# `import transformers`, and nothing here needs them.
remove_mismatched_builds() {
    local module
    for module in torchvision torchaudio torchcodec; do
        if "$PYTHON" -m pip show -q "$module" >/dev/null 2>&1 && ! "$PYTHON" -c "import $module" >/dev/null 2>&1; then
            echo "removing $module: its build does not fit this torch, and nothing here needs it"
            "$PYTHON" -m pip uninstall -q -y "$module"
        fi
    done
}

ensure_venv() {
    local extras="$1" stamp wanted
    PYTHON="$VENV/bin/python"
    export PYTHON PIP_DISABLE_PIP_VERSION_CHECK=1
    stamp="$VENV/.verl_sdpo_installed_${extras//,/_}"
    wanted="$(cksum <"$REPOSITORY/setup.py")"
    if [[ -x "$PYTHON" && -f "$stamp" && "$(cat "$stamp")" == "$wanted" ]]; then
        echo "environment: $VENV (already installed)"
        return
    fi
    local base
    base="$(find_python)"
    echo "environment: $VENV (installing verl_sdpo[$extras]; two to five minutes)"
    [[ -x "$PYTHON" ]] || "$base" -m venv "$VENV" ||
        fail "'$base -m venv' failed: install Python's venv module (a package such as python3-venv)"
    if ! "$PYTHON" -m pip install -q -e "$REPOSITORY[$extras]"; then
        fail "pip could not install verl_sdpo[$extras]." \
            "If it names torch==2.13.0+cpu: that CPU build is on PyTorch's own wheel index, not on every index;" \
            "set PIP_EXTRA_INDEX_URL to it and run this again. Without network: PIP_FIND_LINKS to a folder of wheels."
    fi
    remove_mismatched_builds
    "$PYTHON" -c 'import torch, transformers, vllm, verl' ||
        fail "the installation is incomplete (above: what does not import). Remove $VENV and run this again"
    echo "$wanted" >"$stamp"
}
