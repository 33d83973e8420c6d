"""An HTTP server on loopback that is a vendor: it counts requests and charges, and misbehaves on demand."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, NamedTuple, get_args

from tests.integration.model_contract import Step
from tests.loopback import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MIB = 1 << 20
LARGEST = 10 * MIB
_STEPS = get_args(Step)


class Request(NamedTuple):
    """What was sent; header names are lower-case. A body of more than 10 MiB is answered before it is read."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a vendor says; `charged` when it takes money for it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    charged: bool = False


@dataclass
class Vendor:
    """Its address, the steps that come next (then all goes well), and its counters.

    `received` counts whole requests, `charged` the pictures it takes money for, `connections` all that were opened.
    """

    answer: Callable[[Request, Step], Answer]
    port: int = 0
    steps: deque[Step] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    charged: int = 0
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> int:
        return len(self.requests)

    def script(self, *steps: Step) -> None:
        """What the next requests meet, in this order."""
        assert set(steps) <= set(_STEPS)
        self.steps.extend(steps)

    def start(self) -> None:
        """Listens, on the port of before if there was one."""
        self.released.clear()
        self._server = Server(_handler(self), self.port)
        self.port = self._server.server_address[1]

    def stop(self) -> None:
        """Ends all connections, refuses new ones, and lets go of the port."""
        if self._server is not None:
            self.released.set()
            self._server.server_close()
            self._server = None


@contextmanager
def serving(answer: Callable[[Request, Step], Answer]) -> Iterator[Vendor]:
    """A vendor that answers like this, until the block ends."""
    vendor = Vendor(answer)
    vendor.start()
    try:
        yield vendor
    finally:
        vendor.stop()


def _handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 10

        def setup(self) -> None:
            super().setup()
            with lock:
                vendor.connections += 1

        def log_message(self, *_: object) -> None:
            return

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            length = int(headers["content-length"])
            self.close_connection = length > LARGEST
            request = Request(self.path, headers, b"" if self.close_connection else self.rfile.read(length))
            with lock:
                vendor.requests.append(request)
                step: Step = vendor.steps.popleft() if vendor.steps else "ok"
                answer = vendor.answer(request, step)
                vendor.charged += answer.charged
            try:
                self._send(step, answer)
            except OSError:  # the other side had enough
                self.close_connection = True

        def _send(self, step: Step, answer: Answer) -> None:
            if step in ("hang", "cut after"):
                if step == "hang":
                    vendor.released.wait(10)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if step == "huge":
                self.send_header("connection", "close")
                self.end_headers()
                for _ in range(80):
                    self.wfile.write(bytes(MIB))
                return
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if step != "trickle":
                self.wfile.write(answer.body)
                return
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                if vendor.released.wait(0.02):
                    return

    return Handler
