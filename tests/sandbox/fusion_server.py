# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A server that speaks SandboxFusion's protocol, for tests. It isolates nothing: give it harmless programs only."""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MIB = 2**20
KEPT_BYTES = MIB


class FusionServer(ThreadingHTTPServer):
    """Runs the Python that it is sent, or answers as it was told to."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/run_code"
        self.requests = []  # as they came
        self.told = []  # pairs of an HTTP status and a body, for the next requests
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def answer(self, text):
        with self._lock:
            self.requests.append(text)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            told = self.told.pop(0) if self.told else None
        try:
            return told or (200, json.dumps(run_code(json.loads(text))))
        finally:
            with self._lock:
                self._now -= 1


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        status, body = self.server.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.path != "/run_code":
            status, body = 404, "{}"
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def answer_of(status="Success", run_status="Finished", return_code=0, stdout="", stderr="", **more):
    """The text of an answer."""
    run = {"status": run_status, "return_code": return_code, "execution_time": 0.1, "stdout": stdout, "stderr": stderr}
    return json.dumps({"status": status, "message": "", "compile_result": None, "run_result": run, "files": {}} | more)


def run_code(request):
    """What a server without isolation of its own does with Python."""
    assert request["language"] == "python"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tmpprogram.py")
        path.write_text(request["code"], encoding="utf-8")
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, str(path)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: limit_memory(request["memory_limit_MB"] * MIB),
        )
        is_late = not _finishes(process, (request["stdin"] or "").encode(), request["run_timeout"])
    run = {
        "status": "TimeLimitExceeded" if is_late else "Finished",
        "execution_time": time.monotonic() - begun,
        "return_code": None if is_late else process.returncode,
        "stdout": _decoded(process.kept[0]),
        "stderr": _decoded(process.kept[1]),
    }
    is_success = not is_late and process.returncode == 0
    return {"status": "Success" if is_success else "Failed", "message": "", "compile_result": None, "run_result": run}


def limit_memory(num_bytes):
    for name in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK):
        resource.setrlimit(name, (num_bytes, resource.getrlimit(name)[1]))


def _finishes(process, stdin, seconds):
    """Feeds and drains a process; False where it was to be killed for its time."""
    process.kept = (bytearray(), bytearray())

    def feed():
        try:
            process.stdin.write(stdin)
            process.stdin.close()
        except OSError:
            pass

    def drain(stream, kept):
        while data := stream.read1(2**16):
            kept.extend(data[: max(KEPT_BYTES - len(kept), 0)])

    pairs = zip((process.stdout, process.stderr), process.kept)
    threads = [threading.Thread(target=feed), *(threading.Thread(target=drain, args=pair) for pair in pairs)]
    for thread in threads:
        thread.start()
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    finally:
        for thread in threads:
            thread.join()


def _decoded(data):
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        return f"[DecodeError] {error}"
