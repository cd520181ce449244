# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import socket

for family, kind, number in (
    ("AF_NETLINK", socket.SOCK_RAW, 0),
    ("AF_PACKET", socket.SOCK_RAW, 3),
    ("AF_INET", socket.SOCK_RAW, 1),
    ("AF_INET", socket.SOCK_DGRAM, 1),
    ("AF_VSOCK", socket.SOCK_STREAM, 0),
    ("AF_ALG", socket.SOCK_SEQPACKET, 0),
    ("AF_CAN", socket.SOCK_RAW, 1),
    ("AF_BLUETOOTH", socket.SOCK_RAW, 1),
    ("AF_QIPCRTR", socket.SOCK_DGRAM, 0),
    ("AF_TIPC", socket.SOCK_STREAM, 0),
):
    if not hasattr(socket, family):
        continue
    try:
        socket.socket(getattr(socket, family), kind, number).close()
        print("ESCAPED:", family)
    except OSError as error:
        print("blocked", error.errno)
