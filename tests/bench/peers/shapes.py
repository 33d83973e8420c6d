"""The pydantic models of the answers, for the peers that use pydantic."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class ReferenceImage(BaseModel):
    """A reference image that the model was given."""

    key: str
    sha256: str


class Image(BaseModel):
    """The record of one generation."""

    id: UUID
    user_id: str | None = None
    prompt: str
    full_prompt: str
    image_url: str | None = None
    dataset_id: UUID | None = None
    style: str | None = None
    aspect_ratio: str
    quality: str
    format: str
    resolution: str
    reference_images_count: int = 0
    unique_visual_elements: list[str] | None = None
    created_at: datetime
    status: str
    error: str | None = None
    provider: str | None = None
    model: str | None = None
    model_id: str | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    thumbnail_url: str | None = None
    cost_usd: float | None = None
    generation_ms: int | None = None
    parent_id: UUID | None = None
    dataset_version: int | None = None
    visual_elements_source: str | None = None
    reference_images: list[ReferenceImage] | None = None
    dropped_params: list[str] | None = None
    favorite: bool = False
    deleted_at: datetime | None = None


class ImagePage(BaseModel):
    """A page of the history."""

    images: list[Image]
    count: int
    offset: int
    limit: int
    next_cursor: str | None


def image(item: dict[str, Any], public_url: str) -> Image:
    """The record as a caller sees it."""
    urls: dict[str, Any] = {name: public_url + item[name] for name in ("image_url", "thumbnail_url") if name in item}
    return Image(**(item | urls))
