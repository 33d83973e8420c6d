"""What a dataset keeps of each reference image: an entry by its id, and the objects that belong to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imagetrail import moments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from imagetrail.dynamo import Item

_COLUMNS = ("file_name", "content_type", "width", "height", "bytes", "sha256", "created_at")
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_INCOMING = re.compile(rf"references/({_UUID})/incoming/({_UUID})")
_LATE = "No readable file arrived in time. Request another upload."


def stem(dataset_id: str, reference_id: str) -> str:
    """How the keys of all that is kept of a reference image begin."""
    return f"references/{dataset_id}/{reference_id}."


def thumbnail_key(dataset_id: str, reference_id: str) -> str:
    """Where its thumbnail is kept."""
    return f"{stem(dataset_id, reference_id)}thumbnail.webp"


def incoming_key(dataset_id: str, reference_id: str) -> str:
    """Where it is uploaded to."""
    return f"references/{dataset_id}/incoming/{reference_id}"


def of_incoming(key: str) -> tuple[str, str] | None:
    """The ids of the dataset and the reference image that were uploaded to this key; None for another key."""
    found = _INCOMING.fullmatch(key)
    return None if found is None else (found[1], found[2])


def ready(dataset: Mapping[str, Any]) -> list[Item]:
    """Key and sha256 of each reference image of a dataset that a model can be given, the oldest first."""
    entries = sorted((dataset.get("reference_images") or {}).items())
    return [{"key": e["key"], "sha256": e["sha256"]} for _, e in entries if e["status"] == "ready"]


def counts(entry: Mapping[str, Any], now: datetime) -> bool:
    """Whether it takes one of the dataset's places: what was refused or never came does not."""
    return entry["status"] in ("ready", "awaiting") and not _is_over(entry, now)


def is_forgotten(entry: Mapping[str, Any], now: datetime) -> bool:
    """Whether it has been shown long enough, and may be removed from the dataset."""
    return entry["status"] != "ready" and str(entry["forget_at"]) <= moments.to_text(now)


def shown(
    dataset_id: str, entries: Mapping[str, Any], now: datetime, url: Callable[[str], str] | None
) -> list[dict[str, Any]]:
    """The entries as callers see them, the oldest first; `url` gives private objects addresses."""
    return [_shown(dataset_id, name, entries[name], now, url) for name in sorted(entries)]


def _shown(
    dataset_id: str, reference_id: str, entry: Mapping[str, Any], now: datetime, url: Callable[[str], str] | None
) -> dict[str, Any]:
    late = _is_over(entry, now)
    opens = url is not None and entry["status"] == "ready"
    return {
        "id": reference_id,
        "status": "refused" if late else entry["status"],
        "reason": _LATE if late else entry.get("reason"),
        **{column: entry.get(column) for column in _COLUMNS},
        "url": url(entry["key"]) if opens and url else None,
        "thumbnail_url": url(thumbnail_key(dataset_id, reference_id)) if opens and url else None,
    }


def _is_over(entry: Mapping[str, Any], now: datetime) -> bool:
    return entry["status"] == "awaiting" and str(entry["awaited_until"]) <= moments.to_text(now)
