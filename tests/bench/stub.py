"""DynamoDB and S3 on loopback, as far as the handlers need them: answers are rendered once and kept alive.

Runs as its own process, so that its work is nobody's. Prints its ports for plain HTTP and for TLS, and ends when its
standard input does. Usage: python -m tests.bench.stub CERTIFICATE_AND_KEY
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import zlib

import orjson

from imagetrail.dynamo import to_attributes
from tests.bench.items import records

LATENCY_SECONDS = 0.005  # of writes, so that what waits for another can be told from what runs beside it
_ITEMS = [to_attributes(record) for record in records()]
_BY_ID = {item["id"]["S"]: item for item in _ITEMS}
_KEYS = ("id", "created_at", "shelf")


def rendered(document: object) -> bytes:
    """A whole answer; bytes are its body."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Server: Server\r\n"
        "Date: Tue, 03 Feb 2026 06:30:00 GMT\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: keep-alive\r\n"
        "x-amzn-RequestId: VK0KHRC1MMA5N7GS4D3HVNNLHBVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


def _page(limit: int) -> bytes:
    items = _ITEMS[:limit]
    last = {name: items[-1][name] for name in _KEYS}
    return rendered({"Items": items, "Count": limit, "ScannedCount": limit, "LastEvaluatedKey": last})


_EMPTY = rendered({})
_PAGES: dict[int, bytes] = {}
_GOT = {key: rendered({"Item": item}) for key, item in _BY_ID.items()}


def answer(target: bytes, body: bytes) -> bytes:
    """The whole answer of one DynamoDB operation, or of an S3 one, which has no target."""
    if target.endswith(b".Query"):
        limit = orjson.loads(body)["Limit"]
        if limit not in _PAGES:
            _PAGES[limit] = _page(limit)
        return _PAGES[limit]
    if target.endswith(b".GetItem"):
        return _GOT.get(orjson.loads(body)["Key"]["id"]["S"], _EMPTY)
    return _EMPTY


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    answer = staticmethod(answer)

    def __init__(self) -> None:
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        headers = {}
        for line in bytes(self._received[:end]).split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        whole = end + 4 + int(headers.get(b"content-length", b"0"))
        if len(self._received) < whole:
            return
        target = headers.get(b"x-amz-target", b"")
        reply = self.answer(target, bytes(self._received[end + 4 : whole]))
        del self._received[:whole]
        if reply is _EMPTY:
            asyncio.get_running_loop().call_later(LATENCY_SECONDS, self._transport.write, reply)
        else:
            self._transport.write(reply)


async def serve(connection: type[Connection], certificate: str) -> None:
    """On two free ports, which it prints, until standard input ends."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(connection, "127.0.0.1", 0)
    secure = await loop.create_server(connection, "127.0.0.1", 0, ssl=context)
    print(*(server.sockets[0].getsockname()[1] for server in (plain, secure)), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Connection, sys.argv[1]))
