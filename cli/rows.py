"""What a row of an imported table must be, and the record it becomes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from imagetrail import moments
from imagetrail.answers import Image, ReferenceImage
from imagetrail.records import COLUMNS
from imagetrail.schemas import MAX_SEED, AspectRatio, Format, Id, Quality, Resolution, UserId, messages

MAX_BYTES = 350_000
"""Of a record: an item of the tables may have 400 KB, with its keys."""
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d(:?\d\d)?)?)", re.ASCII | re.IGNORECASE
)


class RefusedRow(Exception):
    """A row that is not taken: (column, what is wrong) pairs."""

    def __init__(self, reasons: list[tuple[str, str]]) -> None:
        super().__init__(str(reasons))
        self.reasons = reasons


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _TIME.fullmatch(value):
        raise ValueError("must be a time with its zone, such as 2026-02-02 10:30:00+00")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("must be a time that the calendar has, such as 2026-02-02 10:30:00+00") from None


def _document(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise ValueError('must be JSON, such as ["wooden tables"]') from None


def _jpeg_is_jpg(value: object) -> object:
    return "jpg" if value == "jpeg" else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
Texts = Annotated[list[str] | None, BeforeValidator(_document)]
_UNSAID = {
    "aspect_ratio": "1:1",
    "quality": "standard",
    "format": "png",
    "resolution": "1K",
    "reference_images_count": 0,
}


class SeedRow(BaseModel):
    """A row of the table `generated_images` as it was in PostgreSQL."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: Id
    user_id: UserId | None = None
    prompt: str
    full_prompt: str
    image_url: str | None = None
    dataset_id: Id | None = None
    style: str | None = None
    aspect_ratio: AspectRatio
    quality: Quality
    format: Annotated[Format, BeforeValidator(_jpeg_is_jpg)]
    resolution: Resolution
    reference_images_count: Annotated[int, Field(ge=0)]
    unique_visual_elements: Texts = None
    created_at: Moment

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, cells: dict[str, Any]) -> dict[str, Any]:
        """What the table left empty and the history always tells."""
        filled = {name: value for name, value in _UNSAID.items() if cells.get(name) is None}
        if cells.get("full_prompt") is None and cells.get("prompt") is not None:
            filled["full_prompt"] = cells["prompt"]
        return {**cells, **filled}


class OwnRow(Image):
    """A row of an export of ours: what the API promises of a record, in cells."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    user_id: UserId | None
    format: Annotated[Format, BeforeValidator(_jpeg_is_jpg)]
    created_at: Moment
    deleted_at: Moment | None
    status: Literal["succeeded", "failed", "blocked"]
    unique_visual_elements: Texts
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None
    dropped_params: Texts
    reference_images: Annotated[list[ReferenceImage] | None, BeforeValidator(_document)]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, cells: dict[str, Any]) -> dict[str, Any]:
        """An export from before a column was there."""
        return {**dict.fromkeys(COLUMNS), "favorite": False, **cells}


def record(cells: dict[str, Any], *, is_own: bool, user_id: str | None) -> dict[str, Any]:
    """The record of a row, as the tables keep it but for its URLs. `user_id` takes the place of the row's own.

    Raises RefusedRow.
    """
    given = cells if user_id is None else {**cells, "user_id": user_id}
    try:
        row = (OwnRow if is_own else SeedRow).model_validate(given)
    except ValidationError as error:
        raise RefusedRow([_told(*reason) for reason in messages(error)]) from None
    made = row.model_dump(mode="python")
    for name in ("id", "dataset_id", "parent_id"):
        if made.get(name) is not None:
            made[name] = str(made[name])
    if made.get("deleted_at") is not None:
        raise RefusedRow([("deleted_at", "is in the trash; restore it before you export it")])
    made["created_at"] = moments.to_text(made["created_at"])
    made.setdefault("status", "succeeded")
    if large := [name for name, value in made.items() if isinstance(value, int) and abs(value) >> 63]:
        raise RefusedRow([(name, "is too large a number") for name in large])
    if (size := len(orjson.dumps(made))) > MAX_BYTES:
        raise RefusedRow([("prompt", f"is too long: the record has {size} bytes, and may have {MAX_BYTES}")])
    return made


def _told(column: str, message: str) -> tuple[str, str]:
    return column.partition(".")[0], message
