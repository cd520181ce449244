# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import asyncio
import urllib.request

try:
    urllib.request.urlopen("http://127.0.0.1:80/", timeout=1)
    print("ESCAPED: urlopen")
except OSError as error:
    print("refused" if "refused" in str(error) else "blocked")


async def serve():
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    print("ESCAPED: listens on", server.sockets[0].getsockname())


try:
    asyncio.run(serve())
except OSError:
    print("blocked")
