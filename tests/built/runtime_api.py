"""Lambda's Runtime API on loopback, with one execution environment that runs what `sam build` made.

The process sees what Lambda would give it: the runtime client, the function's code and its layers; nothing of this
machine's site-packages. Source: the "Using the Lambda runtime API" page of the Lambda developer guide.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TIMEOUT_SECONDS = 30


@dataclass
class Sandbox:
    """One warm execution environment."""

    process: subprocess.Popen[bytes]
    events: queue.Queue[bytes]
    answers: queue.Queue[tuple[str, bytes]] = field(default_factory=queue.Queue)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """The handler's answer. Fails when the process fails, or answers with an error."""
        self.events.put(json.dumps(event).encode())
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                kind, body = self.answers.get(timeout=0.1)
            except queue.Empty:
                assert self.process.poll() is None, f"the runtime ended with {self.process.returncode}"
                continue
            assert kind == "response", body.decode()
            return json.loads(body)
        raise AssertionError("the function did not answer in time")


@contextmanager
def sandbox(handler: str, path: Sequence[Path], environment: Mapping[str, str]) -> Iterator[Sandbox]:
    """Runs `handler` with `path` as its only packages."""
    events: queue.Queue[bytes] = queue.Queue()
    answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
    ended = threading.Event()

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            while not ended.is_set():
                try:
                    event = events.get(timeout=0.1)
                except queue.Empty:
                    continue
                self._send(
                    200,
                    event,
                    {
                        "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIMEOUT_SECONDS) * 1000)),
                        "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
                        "Content-Type": "application/json",
                        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                    },
                )
                return
            self.close_connection = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            kind = self.path.rpartition("/")[2]
            answers.put(("init error" if "/init/" in self.path else kind, body))
            self._send(202, b"{}", {})

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    process = subprocess.Popen(
        [sys.executable, "-S", "-m", "awslambdaric", handler],
        env={
            **environment,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(str(folder) for folder in path),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": handler,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/imagetrail/functions",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        yield Sandbox(process, events, answers)
    finally:
        process.kill()
        process.wait()
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
