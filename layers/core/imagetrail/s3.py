"""The bucket with the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from imagetrail.aws import AwsError, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.sigv4 import Credentials


class Bucket:
    """Objects by key. Every operation is one request and raises Unavailable when S3 is away."""

    def __init__(
        self, name: str, region: str, credentials: Callable[[], Credentials], endpoint_url: str | None
    ) -> None:
        url = endpoint_url or f"https://{name}.s3.{region}.amazonaws.com"
        self._endpoint = Endpoint("s3", region, credentials, url)
        self._prefix = f"/{name}" if endpoint_url else ""
        self._prefix = urlsplit(url).path.rstrip("/") + self._prefix

    def put(self, key: str, body: bytes, content_type: str, *, cache_control: str, tags: Mapping[str, str]) -> None:
        """Stores `body` under `key`, replacing what is there."""
        headers = {"content-type": content_type, "cache-control": cache_control}
        if tags:
            headers["x-amz-tagging"] = urlencode(tags, quote_via=quote)
        self._request("PUT", key, headers, body)

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if there is none."""
        return self._request("GET", key)

    def delete(self, key: str) -> None:
        """Hides the object; deleting what is not there is fine."""
        self._request("DELETE", key)

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._endpoint.close()

    def _request(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> bytes | None:
        reply = self._endpoint.request(method, f"{self._prefix}/{quote(key)}", headers or {}, body)
        if reply.status == 404 and method != "PUT":
            return None
        if reply.status not in (200, 204):
            raise AwsError("s3", f"{method} answered {reply.status}", {})
        return reply.body
