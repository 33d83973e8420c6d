"""A proxy on loopback between the code under test and the emulator, which can make one kind of request fail."""

from __future__ import annotations

import http.client
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from tests.loopback import listening
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kind = Literal["throttle", "error", "refuse", "conflict", "cut before", "cut after"]
_THROTTLED = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"internal-table-name is busy"}'
)


@dataclass
class Fault:
    """Requests whose label contains `step` fail, the first `times` of them; `then` runs as they do.

    A label is an operation and its number, such as `UpdateItem ledger 2` or `s3 PUT images 1`;
    the same request again has the same number.
    """

    step: str
    kind: Kind
    times: int = 1_000
    then: Callable[[], None] = lambda: None
    met: int = 0


@dataclass
class Proxy:
    """Its address, what passed it, and the fault it makes."""

    url: str
    fault: Fault | None = None
    seen: list[str] = field(default_factory=list)

    def inject(self, fault: Fault) -> Fault:
        """From now on, this fault."""
        self.fault = fault
        return fault


@contextmanager
def proxy_to(endpoint: str, tables: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    """Forwards to the emulator's endpoint until the block ends; `tables` are the short names of tables, for labels."""
    target = urlsplit(endpoint).netloc
    bodies: dict[str, list[bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            return

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            label = self._label(body)
            fault = proxy.fault
            if fault is None or fault.step not in label or fault.met >= fault.times:
                self._answer(*self._forward(body))
                return
            fault.met += 1
            if fault.kind == "cut after":
                self._forward(body)
            fault.then()
            if fault.kind == "throttle":
                dynamo = "x-amz-target" in self.headers
                self._answer(400 if dynamo else 503, {}, _THROTTLED if dynamo else b"<Code>SlowDown</Code>")
            elif fault.kind == "error":
                self._answer(500, {}, b"internal-table-name broke")
            elif fault.kind == "refuse":
                self._answer(403, {}, b'{"__type":"AccessDeniedException"}')
            elif fault.kind == "conflict":
                self._answer(409, {}, b"<Code>ConditionalRequestConflict</Code>")
            else:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

        def _label(self, body: bytes) -> str:
            operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
            if operation:
                named = [short for name, short in (tables or {}).items() if name.encode() in body]
                operation = " ".join([operation, *named[:1]])
            else:
                parts = self.path.partition("?")[0].split("/")
                operation = f"s3 {self.command} {parts[2] if len(parts) > 2 else 'bucket'}"
            proxy.seen.append(operation)
            distinct = bodies.setdefault(operation, [])
            if body not in distinct:
                distinct.append(body)
            return f"{operation} {distinct.index(body) + 1}"

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            with closing(http.client.HTTPConnection(target, timeout=PATIENCE)) as connection:
                connection.request(self.command, self.path, body, headers)
                reply = connection.getresponse()
                return reply.status, dict(reply.getheaders()), reply.read()

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    with listening(Handler) as url:
        proxy = Proxy(url)
        yield proxy
