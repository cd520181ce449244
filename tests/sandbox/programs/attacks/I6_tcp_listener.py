# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true}
import socket
import threading

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
threading.Thread(target=lambda: server.accept()[0].sendall(b"x"), daemon=True).start()
client = socket.create_connection(server.getsockname(), timeout=2)
print("ESCAPED: over TCP", client.recv(1))
