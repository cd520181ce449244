# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""python -m verl_sdpo.sandbox doctor: is this machine fit to run programs that a model wrote?"""

import argparse
import sys

from verl_sdpo.sandbox import SandboxRefused, SandboxSettings, sandbox_for
from verl_sdpo.sandbox.doctor import report
from verl_sdpo.sandbox.settings import REQUIRABLE


def main() -> int:
    """Prints the layers and what came of each canary; 1 where one is not as wanted, 2 where nothing can be run."""
    parser = argparse.ArgumentParser(prog="python -m verl_sdpo.sandbox", description=__doc__)
    parser.add_argument("command", choices=("doctor",))
    parser.add_argument("--require", nargs="*", default=["filesystem"], choices=REQUIRABLE, help="layers to insist on")
    parser.add_argument("--backend", default="local", choices=("local", "bubblewrap"), help="what isolates them")
    options = parser.parse_args()
    settings = SandboxSettings(options.backend, required=tuple(options.require))
    try:
        told, is_sound = report(sandbox_for(settings), settings.warm_packages())
    except SandboxRefused as error:
        print(error, file=sys.stderr)
        return 2
    print(told)
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
