# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import socket
import sys

# Neither a name in the file system nor an abstract one; a pair of its own, as asyncio makes, is no escape.
for address in ("\0sandbox_escape_abstract", "sandbox_escape_socket"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try:
            with socket.socket(socket.AF_UNIX, kind) as server:
                server.bind(address + str(int(kind)))
                print("ESCAPED: bound", repr(address), int(kind))
        except OSError as error:
            print("blocked", error.errno)
for address in ("/var/run/docker.sock", "/run/systemd/notify", "/dev/log", "\0/tmp/ray"):
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(address)
            print("ESCAPED: connected to", address, file=sys.stderr)
    except OSError:
        pass
