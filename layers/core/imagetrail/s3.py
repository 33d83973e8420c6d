"""The bucket with the pixels."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from imagetrail.aws import ATTEMPTS, AwsError, Endpoint
from imagetrail.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from imagetrail.aws import Reply
    from imagetrail.sigv4 import Credentials

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_KEYS = 1_000


class ChangedError(Exception):
    """The object is not the one that the write was meant to replace."""


class Stored(NamedTuple):
    """An object as it is now; `body` is None when it is still the one that was known."""

    body: bytes | None
    etag: str


class Version(NamedTuple):
    """One version of an object. A marker holds nothing, and hides those before it."""

    key: str
    id: str
    is_marker: bool = False


class VersionPage(NamedTuple):
    """Some versions, by key; `last` is where a following page starts, None at the end."""

    versions: list[Version]
    last: Version | None


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
        for attempt in range(ATTEMPTS):
            if attempt:
                self._endpoint.pause_before(attempt)
            reply = self.exchange("PUT", key, headers=headers, body=body)
            if reply.status == 412:
                return False
            if reply.status != 409:  # S3 was busy with another write of this key, and knows no winner yet
                _checked("PUT", reply)
                return True
        raise Unavailable

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
        page = self.list_versions(prefix)
        found = page.versions
        while page.last is not None:
            page = self.list_versions(prefix, page.last)
            found += page.versions
        return found

    def delete_version(self, version: Version) -> None:
        """Deletes one version for good; without a marker, what it hid is there again."""
        self._request("DELETE", version.key, query=urlencode({"versionId": version.id}, quote_via=quote))

    def list_versions(self, prefix: str, after: Version | None = None, limit: int = MAX_KEYS) -> VersionPage:
        """The versions and delete markers of keys with this prefix; `after` one without an id starts past its key."""
        query = {"max-keys": str(limit), "prefix": prefix, "versions": ""}
        if after is not None:
            query |= {"key-marker": after.key} | ({"version-id-marker": after.id} if after.id else {})
        document = self._xml("GET", query)
        found = [
            Version(
                entry.findtext("{*}Key", ""), entry.findtext("{*}VersionId", ""), entry.tag.endswith("}DeleteMarker")
            )
            for entry in document
            if entry.tag.endswith(("}Version", "}DeleteMarker"))
        ]
        if document.findtext("{*}IsTruncated") != "true":
            return VersionPage(found, None)
        last = Version(document.findtext("{*}NextKeyMarker", ""), document.findtext("{*}NextVersionIdMarker", ""))
        return VersionPage(found, last)

    def delete_versions(self, versions: Sequence[Version]) -> dict[Version, str]:
        """Deletes for good, 1,000 a call. Returns those that could not be, with S3's code."""
        from xml.sax.saxutils import escape

        refused: dict[Version, str] = {}
        for start in range(0, len(versions), MAX_KEYS):
            entries = (
                f"<Object><Key>{escape(version.key)}</Key><VersionId>{escape(version.id)}</VersionId></Object>"
                for version in versions[start : start + MAX_KEYS]
            )
            body = f'<Delete xmlns="{_XMLNS}">{"".join(entries)}<Quiet>true</Quiet></Delete>'.encode()
            for entry in self._xml("POST", {"delete": ""}, body):
                if entry.tag.endswith("}Error"):
                    version = Version(entry.findtext("{*}Key", ""), entry.findtext("{*}VersionId", ""))
                    refused[version] = entry.findtext("{*}Code", "")
        return refused

    def size(self, key: str) -> int | None:
        """The object's bytes, counted; None if there is none."""
        reply = self.exchange("HEAD", key)
        if reply.status not in (200, 404):
            raise AwsError("s3", f"HEAD answered {reply.status}", {})
        return int(reply.headers["content-length"]) if reply.status == 200 else None

    def exchange(
        self, method: str, key: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """One request about an object; `query` is encoded and sorted. Any answer is an answer."""
        return self._endpoint.request(method, f"{self._prefix}/{quote(key)}", headers or {}, body, query)

    def load(self, key: str, known_etag: str | None = None) -> Stored | None:
        """The object with its entity tag, without the body if that is the known one; None if there is none."""
        reply = self.exchange("GET", key, headers={} if known_etag is None else {"if-none-match": known_etag})
        if reply.status == 404:
            return None
        if reply.status == 304 and known_etag is not None:
            return Stored(None, known_etag)
        return Stored(_checked("GET", reply).body, reply.headers["etag"])

    def swap(self, key: str, body: bytes, content_type: str, etag: str | None) -> str:
        """Replaces the object with this entity tag, or creates it where None says that there is none yet.

        Returns the new tag. Raises ChangedError; also when an answer was lost and the second try met the first.
        """
        condition = {"if-none-match": "*"} if etag is None else {"if-match": etag}
        reply = self.exchange("PUT", key, headers={"content-type": content_type, **condition}, body=body)
        if reply.status in (404, 409, 412):
            raise ChangedError
        return _checked("PUT", reply).headers["etag"]

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._endpoint.close()

    def _request(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, body: bytes = b"", query: str = ""
    ) -> bytes | None:
        reply = self.exchange(method, key, query, headers, body)
        if reply.status == 404 and method != "PUT":
            return None
        return _checked(method, reply).body

    def _xml(self, method: str, query: Mapping[str, str], body: bytes = b"") -> Element:
        """An operation on the bucket itself that answers with XML."""
        from xml.etree import ElementTree

        checksum = {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode()} if body else {}
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
        reply = self._endpoint.request(method, self._prefix or "/", checksum, body, text)
        if reply.status != 200:
            raise AwsError("s3", f"{method} answered {reply.status}", {})
        return ElementTree.fromstring(reply.body)  # noqa: S314 (S3's own)


def _checked(method: str, reply: Reply) -> Reply:
    if reply.status not in (200, 204):
        raise AwsError("s3", f"{method} answered {reply.status}", {})
    return reply
