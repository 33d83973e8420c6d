"""Records of images that nobody had to paint."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.dynamo import Expression
from imagetrail.records import image_key, index_keys, stored, thumbnail_key

if TYPE_CHECKING:
    from imagetrail.callers import Caller
    from imagetrail.wiring import Deployment

PIXELS = b"pixels"


def made(deployment: Deployment, owner: Caller, at: datetime | None = None, **columns: Any) -> dict[str, Any]:
    """A record of this owner, in the table with all its keys, its pixels in the bucket if it succeeded."""
    moment = at or datetime.now(UTC)
    record: dict[str, Any] = {
        "id": moments.new_id(moment),
        "user_id": owner.user_id,
        "prompt": "a red fox",
        "full_prompt": "a red fox",
        "aspect_ratio": "1:1",
        "quality": "standard",
        "format": "png",
        "resolution": "1K",
        "created_at": moments.to_text(moment),
    }
    record |= stored(record, PIXELS) | columns
    if record["status"] == "succeeded":
        for key in (image_key(record), thumbnail_key(record)):
            deployment.bucket.put(key, PIXELS, "image/png", cache_control="public", tags={})
    record |= index_keys(record)
    deployment.dynamo.put(deployment.settings.images_table, record, Expression("attribute_not_exists(#id)"))
    return record
