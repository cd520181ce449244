# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# For hours of work that a script waits for; sourced by the others.
#
#   stoppably COMMAND     the command, which SIGTERM, SIGINT and SIGHUP end with the script
#
# A signal to a shell alone does not reach what it waits for, which would go on with its GPUs and files; and a command in
# the background ignores SIGINT, so that it is sent SIGTERM.

stoppably() {
    local child=
    trap 'stop "$child" 129' HUP
    trap 'stop "$child" 130' INT
    trap 'stop "$child" 143' TERM
    "$@" &
    child=$!
    wait "$child"
    trap - HUP INT TERM
}

stop() {
    if [[ -n "$1" ]]; then
        kill -TERM "$1" 2>/dev/null || true
        wait "$1" || true
    fi
    exit "$2"
}
