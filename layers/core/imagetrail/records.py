"""The record of one generation: its columns, and the index partitions it belongs to."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from imagetrail.callers import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagetrail.dynamo import Item

SEED_COLUMNS = (
    "id",
    "user_id",
    "prompt",
    "full_prompt",
    "image_url",
    "dataset_id",
    "style",
    "aspect_ratio",
    "quality",
    "format",
    "resolution",
    "reference_images_count",
    "unique_visual_elements",
    "created_at",
)
COLUMNS = (
    *SEED_COLUMNS,
    "status",
    "error",
    "provider",
    "model",
    "model_id",
    "seed",
    "negative_prompt",
    "width",
    "height",
    "bytes",
    "sha256",
    "thumbnail_url",
    "cost_usd",
    "generation_ms",
    "parent_id",
    "dataset_version",
    "visual_elements_source",
    "reference_images",
    "dropped_params",
    "favorite",
    "deleted_at",
)
STATUSES = ("pending", "succeeded", "failed", "blocked")
DELETED, FAVORITE = "deleted", "favorite"
UNSETTLED = "unsettled"
WORKING = ("holds", "candidates", "queued", "claim")
"""What a record carries only while it is pending: reservations, models to ask, and who works on it."""
MIME = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
IMMUTABLE = "public, max-age=31536000, immutable"
_TAG_CHARACTERS = 250
_UNSET: dict[str, Any] = dict.fromkeys(COLUMNS) | {"favorite": False, "reference_images_count": 0}
_PRIVATE_OR_LATER = frozenset(
    {"user_id", "bytes", "sha256", "image_url", "thumbnail_url", "favorite", "deleted_at", "status", "error"}
)
_PROMPTS = frozenset({"prompt", "full_prompt", "negative_prompt"})


def image_key(record: Mapping[str, Any]) -> str:
    """Where the pixels are kept."""
    return f"images/{record['id']}.{record['format']}"


def thumbnail_key(record: Mapping[str, Any]) -> str:
    """Where the thumbnail is kept."""
    return f"thumbnails/{record['id']}.webp"


def shelf(state: str, owner: str, dataset_id: str | None = None) -> str:
    """A partition that holds one owner's records of one state, and of one dataset if given."""
    return f"{state} {owner}" if dataset_id is None else f"{state} {dataset_id} {owner}"


def index_keys(record: Mapping[str, Any]) -> Item:
    """The attributes that place a record in the indexes; None takes it out of one."""
    owner, dataset_id = owner_of(record.get("user_id")), record.get("dataset_id")
    state = DELETED if record.get("deleted_at") else record["status"]
    favorite = bool(record.get("favorite")) and state == "succeeded"
    return {
        "owner": owner,
        "created_day": record["created_at"][:10],
        "shelf": shelf(state, owner),
        "dataset_shelf": shelf(state, owner, dataset_id) if dataset_id else None,
        "favorite_shelf": shelf(FAVORITE, owner) if favorite else None,
        "dataset_favorite_shelf": shelf(FAVORITE, owner, dataset_id) if favorite and dataset_id else None,
        "unsettled": UNSETTLED if record["status"] == "pending" else None,
    }


def public(item: Mapping[str, Any], public_url: str) -> dict[str, Any]:
    """The record as a caller sees it: every column, with URLs that can be opened."""
    record = _UNSET.copy()
    for name, value in item.items():
        if name in record:
            record[name] = value
    if record["cost_usd"] is not None:
        record["cost_usd"] = float(record["cost_usd"])  # DynamoDB makes 0 of 0.0
    for column in ("image_url", "thumbnail_url"):
        if record[column] is not None:
            record[column] = f"{public_url}{record[column]}"
    return record


def embeddable(record: Mapping[str, Any], *, with_prompts: bool) -> dict[str, Any]:
    """What the pixels say of themselves: never the owner, and the prompts only if the deployment wants that."""
    left_out = _PRIVATE_OR_LATER if with_prompts else _PRIVATE_OR_LATER | _PROMPTS
    return {column: record[column] for column in COLUMNS if column not in left_out and record.get(column) is not None}


def stored(record: Mapping[str, Any], data: bytes) -> Item:
    """The columns that follow from the stored bytes of a successful generation."""
    return {
        "status": "succeeded",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "image_url": f"/{image_key(record)}",
        "thumbnail_url": f"/{thumbnail_key(record)}",
    }


def is_free(record: Mapping[str, Any]) -> bool:
    """Whether a generation came to nothing and took no money, so that the same request may try again."""
    return record["status"] in ("failed", "blocked") and not record.get("cost_usd")


def owner_tags(user_id: str | None) -> dict[str, str]:
    """The owner as object tags `owner`, `owner-2`, …: S3 allows few characters and 256 of them in a tag's value."""
    if user_id is None:
        return {}
    text = "".join(
        chr(byte) if (chr(byte).isascii() and chr(byte).isalnum()) or chr(byte) in "-_.@" else f"={byte:02X}"
        for byte in user_id.encode()
    )
    pieces = [text[start : start + _TAG_CHARACTERS] for start in range(0, len(text), _TAG_CHARACTERS)]
    return {"owner" if n == 0 else f"owner-{n + 1}": piece for n, piece in enumerate(pieces)}


def tagged_owner(tags: Mapping[str, str]) -> str | None:
    """The user that `owner_tags` wrote down. Raises ValueError for tags that it did not write."""
    names = ["owner", *(f"owner-{n}" for n in range(2, len(tags) + 2))]
    text = "".join(tags.get(name, "") for name in names)
    user_id = re.sub(b"=([0-9A-F]{2})", lambda escape: bytes.fromhex(escape[1].decode()), text.encode()).decode()
    found = user_id if "owner" in tags else None
    if owner_tags(found) != {name: tag for name, tag in tags.items() if name.partition("-")[0] == "owner"}:
        raise ValueError("the tags do not name an owner")
    return found
