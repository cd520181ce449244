# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The one module of this package whose import has an effect. verl loads it at `import verl`, in every process.

It registers the CPU platform, and, where that platform is selected, prepares the process for it. verl logs a failing
plug-in at DEBUG only, which nobody sees, so a failure here is also printed.
"""

import sys
import traceback


def _register() -> None:
    # Importing platform_cpu registers the platform with verl.
    from verl_sdpo.platforms.cpu import adaptations, platform_cpu, platform_selection  # noqa: F401

    if platform_selection.is_selected():
        adaptations.install()


try:
    _register()
except Exception:
    sys.stderr.write("verl_sdpo: the plug-in failed to load, the CPU platform is not available:\n")
    traceback.print_exc()
    raise
