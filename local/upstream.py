"""One request to the emulator, on a connection of its own, as plain as the wire has it."""

import http.client
from typing import NamedTuple

Headers = list[tuple[str, str]]


class Reply(NamedTuple):
    """An answer; header names are lower-case."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def exchange(port: int, method: str, target: str, headers: Headers, body: bytes, seconds: float) -> Reply:
    """Raises TimeoutError, another OSError, or HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode("latin-1"))
        connection.putheader("connection", "close")
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return Reply(answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read())
    finally:
        connection.close()
