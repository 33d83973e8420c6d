"""The record of a generation as it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.datasets import elements_source
from imagetrail.prompting import full_prompt
from imagetrail.reference_entries import ready

if TYPE_CHECKING:
    from datetime import datetime

    from imagetrail.dynamo import Item
    from imagetrail.schemas import GenerateRequest


def pending_record(
    user_id: str | None, request: GenerateRequest, dataset: Item | None, image_id: str, now: datetime
) -> Item:
    """The columns that follow from the request, and from its dataset as it is now."""
    return {
        "id": image_id,
        "user_id": user_id,
        "prompt": request.prompt,
        "full_prompt": full_prompt(request.prompt, request.style, dataset),
        "negative_prompt": request.negative_prompt,
        "dataset_id": dataset and dataset["id"],
        "dataset_version": dataset and dataset["version"],
        "visual_elements_source": dataset and elements_source(dataset),
        "style": request.style,
        "aspect_ratio": request.aspect_ratio,
        "quality": request.quality,
        "format": request.format,
        "resolution": request.resolution,
        "reference_images_count": 0,
        "unique_visual_elements": dataset and dataset["unique_visual_elements"],
        "reference_images": ready(dataset) if dataset else None,
        "created_at": moments.to_text(now),
        "status": "pending",
        "seed": request.seed,
    }
