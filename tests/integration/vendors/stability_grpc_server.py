"""Stability AI's generation service on loopback: a gRPC server of the SDK's own servicer, with TLS, which counts."""

from __future__ import annotations

import atexit
import ipaddress
import os
import select
import socket
import socketserver
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import grpc
import pyvips
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from stability_sdk.client import generation, generation_grpc

from tests.integration.model_contract import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = "1024x1024, 1152x896, 1216x832, 1344x768, 1536x640, 640x1536, 768x1344, 832x1216 or 896x1152"
HEADERS = (("server", "cloudflare"), ("cf-ray", "8f0c2a1b3c4d5e6f-FRA"))
_REFUSALS = {
    "blocked": (grpc.StatusCode.INVALID_ARGUMENT, "Invalid prompts detected"),
    "no credits": (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "vendor-says Your organization does not have enough balance to request this action (need $0.009, have $0)",
    ),
    "busy": (grpc.StatusCode.RESOURCE_EXHAUSTED, "vendor-says too many requests"),
    "error": (grpc.StatusCode.INTERNAL, "vendor-says boom"),
    "gateway": (grpc.StatusCode.UNAVAILABLE, "vendor-says upstream connect error or disconnect/reset before headers"),
}


@dataclass
class Vendor:
    """Its address, the steps that come next (then all goes well), and its counters, as the contract asks for.

    Its own steps: "large" is a picture of 25 MiB, "failed" one that could not be made, "nothing" an answer that ends
    without one, and a gRPC status is said by nobody but gRPC itself, without the vendor's headers.
    """

    secure: bool
    url: str = ""
    steps: deque[str] = field(default_factory=deque)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    charged: int = 0
    keepalives: int = 1
    released: threading.Event = field(default_factory=threading.Event)
    _line: Line | None = None
    _server: Any = None

    @property
    def received(self) -> int:
        return len(self.requests)

    @property
    def line(self) -> Line:
        """What the requests come along."""
        assert self._line is not None
        return self._line

    def script(self, *steps: str) -> None:
        """What the next requests meet, in this order."""
        self.steps.extend(steps)

    def start(self) -> None:
        """Listens: TLS on a port that ends in 443, or plainly on one that does not."""
        self._threads = ThreadPoolExecutor(8)
        self._server = grpc.server(self._threads, options=[("grpc.max_send_message_length", -1)])
        generation_grpc.add_GenerationServiceServicer_to_server(_Servicer(self), self._server)
        if self.secure:
            identity = grpc.ssl_server_credentials([identity_of_loopback()])
            port = self._server.add_secure_port("127.0.0.1:0", identity)
        else:
            port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._line = Line(port, secure=self.secure)
        self.url = f"127.0.0.1:{self._line.port}"

    def stop(self) -> None:
        """Refuses connections from now on, and lets go of the ports."""
        self.released.set()
        if self._line is not None:
            self._line.close()
            self._line = None
            self._server.stop(None).wait()
            self._threads.shutdown()


@contextmanager
def serving(*, secure: bool = True) -> Iterator[Vendor]:
    """The vendor, until the block ends."""
    vendor = Vendor(secure)
    vendor.start()
    try:
        yield vendor
    finally:
        vendor.stop()


class _Servicer(generation_grpc.GenerationServiceServicer):  # type: ignore[misc]
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def Generate(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 (the SDK's name)
        vendor = self._vendor
        vendor.requests.append(request)
        vendor.metadata.append(dict(context.invocation_metadata()))
        context.set_trailing_metadata(HEADERS)
        if vendor.secure and vendor.metadata[-1].get("authorization") != f"Bearer {KEY}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "vendor-says missing authorization header")
        if wrong := problems(request):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"vendor-says {wrong}")
        step: str = vendor.steps.popleft() if vendor.steps else "ok"
        if wait := {"busy for 1 s": "1", "busy for 1 h": "3600"}.get(step):
            context.set_trailing_metadata((*HEADERS, ("retry-after", wait)))
            step = "busy"
        if refusal := _REFUSALS.get(step):
            context.abort(*refusal)
        if status := getattr(grpc.StatusCode, step, None):
            context.set_trailing_metadata(())
            context.abort(status, "vendor-says nothing")
        for _ in range(vendor.keepalives):
            yield generation.Answer(request_id=request.request_id)
        vendor.charged += 1
        if step == "cut after":
            vendor.line.cut()
        if step in ("hang", "cut after"):
            vendor.released.wait(10)
            return
        while step == "trickle" and not vendor.released.wait(0.02):
            yield generation.Answer(request_id=request.request_id)
        if step != "nothing":
            yield generation.Answer(request_id=request.request_id, artifacts=[drawn(request, step)])


def drawn(request: Any, step: str) -> Any:
    (seed,) = request.image.seed
    plain = pyvips.Image.black(request.image.width, request.image.height, bands=3)
    picture = plain.linear(1, [seed % 256, 120, 200])
    if step == "large":
        picture = picture.resize(2.9, kernel="nearest")
    encoded = picture.cast("uchar").write_to_buffer(".png", compression=0 if step == "large" else 4)
    return generation.Artifact(
        type=generation.ARTIFACT_IMAGE,
        mime="image/png",
        finish_reason={"filtered": generation.FILTER, "failed": generation.ERROR}.get(step, generation.NULL),
        seed=seed,
        binary={"garbage": b"vendor-says garbage", "huge": bytes(80 << 20)}.get(step, encoded),
    )


def problems(request: Any) -> str:
    """What the engine finds wrong with a request."""
    if request.engine_id != "stable-diffusion-xl-1024-v1-0":
        return "no such engine"
    if f"{request.image.width}x{request.image.height}" not in SIZES:
        return "dimensions are not allowed"
    weights = [prompt.parameters.weight for prompt in request.prompt]
    return "" if weights in ([1], [1, -1]) and request.image.samples == 1 else "prompts or samples are not allowed"


class Line:
    """What lies between a client and a port of this machine, whatever is said on it, until it is cut.

    For TLS its own port ends in 443, as the SDK demands.
    """

    def __init__(self, target: int, *, secure: bool) -> None:
        self._target, self._open = target, list[socket.socket]()
        self.refusals = self.connections = 0
        line = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                line.connections += 1
                if line.refusals:
                    line.refusals -= 1
                else:
                    line._carry(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        for port in range(20443, 60000, 1000) if secure else (0,):
            try:
                self._server = Server(("127.0.0.1", port), Handler)
                break
            except OSError:
                continue
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def cut(self) -> None:
        """Ends every connection there is, without a word."""
        for end in self._open:
            end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _carry(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            ends = [client, server]
            self._open.extend(ends)
            while True:
                for end in select.select(ends, [], [])[0]:
                    try:
                        data = end.recv(1 << 16)
                        ends[end is client].sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        for each in ends:
                            self._open.remove(each)
                        return


@cache
def identity_of_loopback() -> tuple[bytes, bytes]:
    """A key and a certificate for 127.0.0.1 that gRPC trusts from now on, once per process, as it reads them once."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    roots = Path(folder.name, "roots.pem")
    roots.write_bytes(certificate)
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(roots)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem), certificate
