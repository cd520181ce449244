# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "fools": true}
import re
import sys

for name, module in list(sys.modules.items()):
    try:
        text = repr(vars(module))
    except Exception:
        continue
    if found := re.search(r"74261\d{5}", text):
        print("ESCAPED: module", name, file=sys.stderr)
        print(found[0])
        sys.exit()
print("nothing found")
