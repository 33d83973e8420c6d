"""The trash: an image thrown away can be brought back for thirty days, and is served by nobody meanwhile.

The record says what shall be, in one conditional write; the pixels follow. They stay where they are under a delete
marker, which the versioned bucket gives for deleting, and which restoring takes away. `trash` names the step that is
still to come and `trash_due` when: a sparse index of both, from which `emptying` finishes what a request did not.

    (none) ── throw ──▶ hide ── swept ──▶ purge ── 30 days ──▶ purging ──▶ gone
       ▲                 │  ▲               │
       └── swept ── show ◀──┴─── restore ───┘
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.aws import AwsError
from imagetrail.errors import Conflict, Unavailable
from imagetrail.records import image_key, thumbnail_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Item
    from imagetrail.images import Images
    from imagetrail.s3 import Bucket, Version

KEPT = timedelta(days=30)
HIDE, SHOW, PURGE, PURGING = "hide", "show", "purge", "purging"
# A request that hides pixels may be overtaken by one that restores them, for as long as a function runs at most.
_OVERTAKEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trash:
    """Throws images away and brings them back. Either is done twice as well as once."""

    images: Images
    bucket: Bucket
    now: Callable[[], datetime] = moments.utc_now

    def throw(self, caller: Caller, image_id: str) -> Item:
        """The record, in the trash. Raises NotFound, Forbidden, Conflict and Unavailable."""

        def decide(record: Item) -> Item:
            if record["status"] == "pending":
                raise Conflict("This image is still being made. Throw it away once it is done.")
            if record.get("deleted_at"):
                return {}
            moment = moments.to_text(self.now())
            return {"deleted_at": moment, "trash": HIDE, "trash_due": moment}

        record = self.images.change(caller, image_id, decide)
        if record.get("trash") == HIDE:
            with suppress(Unavailable, AwsError):
                hide(self.bucket, record)
        return record

    def restore(self, caller: Caller, image_id: str) -> Item:
        """The record, back in the history. Raises NotFound, Forbidden, Conflict and Unavailable."""
        markers: list[Version] = []

        def decide(record: Item) -> Item:
            if record.get("trash") == PURGING:
                raise Conflict("The thirty days of this image are over; it is being removed.")
            # Listed before the record is written: markers of a later deletion are not among them.
            markers[:] = find_markers(self.bucket, image_id) if "trash" in record else []
            if not record.get("deleted_at"):
                return {}
            due = moments.to_text(self.now() + _OVERTAKEN)
            return {"deleted_at": None, "trash": SHOW, "trash_due": due}

        record = self.images.change(caller, image_id, decide)
        with suppress(Unavailable, AwsError):
            for marker in markers:
                self.bucket.delete_version(marker)
        return record


def hide(bucket: Bucket, record: Item) -> None:
    """Ends the serving of a record's pixels, and keeps them."""
    if record["status"] == "succeeded":
        bucket.delete(image_key(record))
        bucket.delete(thumbnail_key(record))


def find_markers(bucket: Bucket, image_id: str) -> list[Version]:
    """What hides the pixels of a record."""
    return [version for version in find_pixels(bucket, image_id) if version.is_marker]


def find_pixels(bucket: Bucket, image_id: str) -> list[Version]:
    """Every version of a record's image and thumbnail."""
    return [*bucket.versions(f"images/{image_id}."), *bucket.versions(f"thumbnails/{image_id}.")]
