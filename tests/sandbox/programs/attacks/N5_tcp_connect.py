# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import socket

# 192.0.2.0/24 is for documentation, nothing answers there; that the attempt leaves the machine is the escape.
for address in (("192.0.2.1", 80), ("127.0.0.1", 22), ("127.0.0.1", 6379), ("::1", 8265)):
    try:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as client:
            print("ESCAPED: a socket")
            client.settimeout(0.2)
            client.connect(address)
            print("ESCAPED: connected to", address)
    except OSError as error:
        print("blocked", error.errno)
