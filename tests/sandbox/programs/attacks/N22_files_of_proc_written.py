# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
for path, text in (
    ("/proc/self/oom_score_adj", "-1000"),
    ("/proc/self/coredump_filter", "0"),
    ("/proc/self/comm", "zygote"),
    ("/proc/self/uid_map", "0 0 1"),
    ("/proc/self/setgroups", "deny"),
    ("/proc/self/clear_refs", "1"),
    ("/proc/sysrq-trigger", ""),
    ("/sys/fs/cgroup/cgroup.procs", ""),
):
    try:
        with open(path, "w") as file:
            file.write(text)
        print("ESCAPED: wrote", path)
    except OSError as error:
        print("blocked", error.errno)
