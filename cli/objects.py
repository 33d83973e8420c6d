"""What lies in the bucket, as an operator sees it: lists of any length in constant memory, tags, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES, THUMBNAILS = "images/", "thumbnails/"


class Object(NamedTuple):
    """The newest version of an object; one that is hidden by a delete marker is none."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Objects:
    """The bucket through boto3's client."""

    s3: Any
    bucket: str

    def pages(self, prefix: str, start_after: str = "") -> Iterator[list[Object]]:
        """All objects whose keys begin so, sorted by key, in pages of at most 1,000."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, StartAfter=start_after
        ):
            yield [Object(entry["Key"], entry["Size"]) for entry in page.get("Contents", ())]

    def size(self, key: str) -> int | None:
        """The bytes of an object, None if there is none."""
        try:
            return int(self.s3.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def tags(self, key: str) -> dict[str, str]:
        """The tags of an object."""
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in tags}
