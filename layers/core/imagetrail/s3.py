"""The bucket with the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from imagetrail.aws import AwsError, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.sigv4 import Credentials


class Version(NamedTuple):
    """One version of an object. A marker holds nothing, and hides those before it."""

    key: str
    id: str
    is_marker: bool


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

    def create(self, key: str, body: bytes, content_type: str, *, cache_control: str) -> bool:
        """Stores `body` under a key that nothing is stored under; False if something is."""
        headers = {"content-type": content_type, "cache-control": cache_control, "if-none-match": "*"}
        reply = self._endpoint.request("PUT", f"{self._prefix}/{quote(key)}", headers, body)
        if reply.status not in (200, 412):
            raise AwsError("s3", f"PUT answered {reply.status}", {})
        return reply.status == 200

    def purge(self, prefix: str) -> None:
        """Deletes for good every version of every object whose key begins so."""
        for version in self.versions(prefix):
            self.delete_version(version)

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if there is none."""
        return self._request("GET", key)

    def delete(self, key: str) -> None:
        """Hides the object under a marker, and keeps its versions; deleting what is not there is fine."""
        self._request("DELETE", key)

    def versions(self, prefix: str) -> list[Version]:
        """Every version of every object whose key begins so, the newest of each first. A request for each 1,000."""
        from xml.etree import ElementTree as Xml

        found: list[Version] = []
        after: dict[str, str] = {}
        while True:
            query = urlencode(sorted({"prefix": prefix, "versions": "", **after}.items()), quote_via=quote, safe="")
            listed = Xml.fromstring(self._request("GET", "", query=query) or b"")  # noqa: S314 (S3's own)
            for entry in listed:
                if entry.tag.endswith(("}Version", "}DeleteMarker")):
                    key, version = entry.findtext("{*}Key", ""), entry.findtext("{*}VersionId", "")
                    found.append(Version(key, version, entry.tag.endswith("}DeleteMarker")))
            if listed.findtext("{*}IsTruncated") != "true":
                return found
            after = {
                "key-marker": listed.findtext("{*}NextKeyMarker", ""),
                "version-id-marker": listed.findtext("{*}NextVersionIdMarker", ""),
            }

    def delete_version(self, version: Version) -> None:
        """Deletes one version for good; without a marker, what it hid is there again."""
        self._request("DELETE", version.key, query=urlencode({"versionId": version.id}, quote_via=quote))

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._endpoint.close()

    def _request(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, body: bytes = b"", query: str = ""
    ) -> bytes | None:
        reply = self._endpoint.request(method, f"{self._prefix}/{quote(key)}", headers or {}, body, query)
        if reply.status == 404 and method != "PUT":
            return None
        if reply.status not in (200, 204):
            raise AwsError("s3", f"{method} answered {reply.status}", {})
        return reply.body
