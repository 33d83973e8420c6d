"""Objects of S3 that are written part by part, by whichever process goes on with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape

from imagetrail.aws import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imagetrail.aws import Reply
    from imagetrail.s3 import Bucket

MIN_PART = 5 * 1024 * 1024
"""Bytes that every part but the last must have."""
MAX_PARTS = 10_000


class PartsGoneError(Exception):
    """The upload is no more: it was completed, or aborted."""


@dataclass(frozen=True, slots=True)
class Multipart:
    """Uploads to one bucket. Every operation but the listing is one request, and raises Unavailable."""

    bucket: Bucket

    def begin(self, key: str, headers: Mapping[str, str]) -> str:
        """The id of a new upload; `headers` are those that the object will be served with."""
        reply = self._ask("POST", key, "uploads=", headers)
        return Xml.fromstring(reply.body).findtext("{*}UploadId", "")  # noqa: S314 (S3's own)

    def put(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Stores a part, from 1 on, in place of any before; returns its tag."""
        return self._ask("PUT", key, f"partNumber={number}&{_id(upload)}", body=body).headers["etag"]

    def tags(self, key: str, upload: str) -> Iterator[str]:
        """The tags of all parts, in order."""
        after = ""
        while True:
            reply = self._ask("GET", key, "&".join(filter(None, (after, _id(upload)))))
            listed = Xml.fromstring(reply.body)  # noqa: S314 (S3's own)
            yield from (part.findtext("{*}ETag", "") for part in listed.findall("{*}Part"))
            if listed.findtext("{*}IsTruncated") != "true":
                return
            after = f"part-number-marker={listed.findtext('{*}NextPartNumberMarker')}"

    def complete(self, key: str, upload: str, tags: list[str]) -> None:
        """Makes the parts, numbered from 1, the object."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        reply = self._ask("POST", key, _id(upload), body=body)
        if b"<Error>" in reply.body:  # S3 says 200 before it knows
            raise AwsError("s3", "CompleteMultipartUpload failed", {})

    def abort(self, key: str, upload: str) -> None:
        """Drops the parts; doing it twice is fine."""
        self.bucket.exchange("DELETE", key, _id(upload))

    def _ask(
        self, method: str, key: str, query: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        reply = self.bucket.exchange(method, key, query, headers or {}, body)
        if reply.status == 404:
            raise PartsGoneError
        if reply.status != 200:
            raise AwsError("s3", f"{method} of a part answered {reply.status}", {})
        return reply


def _id(upload: str) -> str:
    return f"uploadId={quote(upload, safe='')}"
