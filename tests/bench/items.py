"""The records that the stub serves: 1.5 KB each, with the attributes that ours has in its table."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.records import index_keys, stored
from tests.bench.events import IMAGE_ID

if TYPE_CHECKING:
    from imagetrail.dynamo import Item

COUNT = 201
_NEWEST = datetime(2026, 2, 3, 6, 30, 0, 123456, tzinfo=UTC)
_TEXT = (
    "a quiet harbour under low clouds with fishing boats and gulls while morning light falls over wet stones "
    "lanterns glow in the windows of old houses seen from above in soft colours by an unknown painter"
)


def records() -> list[Item]:
    """Newest first; the first has the id that is asked for."""
    chance = random.Random(50)  # noqa: S311 (the same records in every run)
    return [_record(number, chance) for number in range(COUNT)]


def _record(number: int, chance: random.Random) -> Item:
    moment = _NEWEST - timedelta(minutes=7, seconds=3) * number
    prompt = " ".join(chance.choices(_TEXT.split(), k=44))
    elements = ["copper roof tiles", "a red thread", "hand-drawn borders"]
    with_dataset = number % 2 == 0
    record: dict[str, Any] = {
        "id": IMAGE_ID if number == 0 else moments.new_id(moment, chance.getrandbits(74)),
        "prompt": prompt,
        "full_prompt": f"Brand: Nordlys. Vibe: calm. UNIQUE ELEMENTS: {', '.join(elements)}. {prompt}. Style: oil.",
        "style": "oil",
        "aspect_ratio": "1:1",
        "quality": "standard",
        "format": "png",
        "resolution": "1K",
        "reference_images_count": 0,
        "created_at": moments.to_text(moment),
        "provider": "procedural",
        "model": "procedural",
        "seed": chance.getrandbits(32),
        "negative_prompt": "blur, text" if number % 3 == 0 else None,
        "width": 1024,
        "height": 1024,
        "cost_usd": 0.039,
        "generation_ms": chance.randrange(100, 9000),
        "dropped_params": ["negative_prompt"] if number % 3 == 0 else [],
        "settle_by": moments.to_text(moment + timedelta(seconds=90)),
    }
    if with_dataset:
        record |= {
            "dataset_id": "019c1f00-0000-7000-8000-00000000cafe",
            "dataset_version": 3,
            "unique_visual_elements": elements,
            "reference_images": [],
        }
    record |= stored(record, chance.randbytes(64)) | {"bytes": chance.randrange(900_000, 1_900_000)}
    return record | index_keys(record)
