"""Answer to a request that is not HTTP: a problem document, where hypercorn's own answer has no body."""

import uuid

import h11
from hypercorn.protocol.h11 import H11Protocol

from imagetrail import http as api
from imagetrail.errors import Malformed

_DETAIL = (
    "The request is not valid HTTP/1.1. It needs one Host header, and characters outside ASCII in the URL "
    "must be percent-encoded: with curl, use --data-urlencode and --get."
)


async def _send_error_response(self: H11Protocol, status_code: int) -> None:
    answer = api.problem(Malformed(_DETAIL), str(uuid.uuid4())).as_event()
    body = answer["body"].encode()
    headers = [(name.encode(), value.encode()) for name, value in answer["headers"].items()]
    headers += [(b"content-length", b"%d" % len(body)), (b"connection", b"close"), *self.config.response_headers("h11")]
    await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
    await self._send_h11_event(h11.Data(data=body))
    await self._send_h11_event(h11.EndOfMessage())


def explain_malformed_requests() -> None:
    """Applies to every server of this process."""
    H11Protocol._send_error_response = _send_error_response  # type: ignore[method-assign]
