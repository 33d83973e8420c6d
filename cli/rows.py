"""What a row of an imported table must be, and the record it becomes."""

from __future__ import annotations

from datetime import datetime
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

from cli import postgres
from cli.columns import shortened
from cli.values import is_null, is_typed
from imagetrail import moments
from imagetrail.answers import Image, ReferenceImage
from imagetrail.records import COLUMNS
from imagetrail.schemas import MAX_SEED, AspectRatio, Format, Id, Quality, Resolution, UserId, messages

MAX_BYTES = 350_000
"""Of a record: an item of the tables may have 400 KB, with its keys."""
_LARGEST, _SMALLEST = 1e100, 1e-100
"""Of a fraction: the tables keep numbers from 1e-130 to 1e125."""


class RefusedRow(Exception):
    """A row that is not taken: (column, what is wrong) pairs."""

    def __init__(self, reasons: list[tuple[str, str]]) -> None:
        super().__init__(str(reasons))
        self.reasons = reasons


def _moment(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be {postgres.TIME_FORMS}")
    return postgres.time(value)


def _document(value: object) -> object:
    """JSON in a cell, or an array of PostgreSQL."""
    if not isinstance(value, str):
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return postgres.array(value)
    return found or [] if isinstance(found, dict) else found


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
        if cells.get("full_prompt") is None:
            filled["full_prompt"] = cells.get("prompt") or ""
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
    cost_usd: Annotated[float, Field(allow_inf_nan=False)] | None
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
    given = {name: None if is_typed(name) and _is_null(cell) else cell for name, cell in cells.items()}
    if user_id is not None:
        given["user_id"] = user_id
    try:
        row = (OwnRow if is_own else SeedRow).model_validate(given)
    except ValidationError as error:
        pairs = zip(messages(error), error.errors(include_url=False), strict=True)
        raise RefusedRow(
            [(name.partition(".")[0], _reason(reason, failure)) for (name, reason), failure in pairs]
        ) from None
    made = row.model_dump(mode="python")
    for name in ("id", "dataset_id", "parent_id"):
        if made.get(name) is not None:
            made[name] = str(made[name])
    if made.get("deleted_at") is not None:
        raise RefusedRow([("deleted_at", "is in the trash; restore it before you export it")])
    made["created_at"] = moments.to_text(made["created_at"])
    made.setdefault("status", "succeeded")
    if large := [name for name, value in made.items() if not _is_kept(value)]:
        raise RefusedRow([(name, "is too large a number") for name in large])
    if (size := len(orjson.dumps(made))) > MAX_BYTES:
        raise RefusedRow([("prompt", f"is too long: the record has {size} bytes, and may have {MAX_BYTES}")])
    return made


def _is_null(cell: object) -> bool:
    return isinstance(cell, str) and is_null(cell)


def _is_kept(value: object) -> bool:
    """Whether the tables can keep a value that is a number."""
    if isinstance(value, float):
        return not value or _SMALLEST < abs(value) < _LARGEST
    return not isinstance(value, int) or not abs(value) >> 63


def _reason(reason: str, failure: Any) -> str:
    """What is expected, and what was given instead."""
    value = failure["input"]
    if failure["type"] == "missing" or (value is None and len(failure["loc"]) == 1):
        return "is empty; every row needs one"
    match failure["type"]:
        case "int_parsing" | "int_from_float" | "int_type":
            reason = "must be a whole number, such as 3"
        case "float_parsing" | "float_type" | "finite_number":
            reason = "must be a number, such as 0.04"
        case "bool_parsing" | "bool_type":
            reason = "must be true or false"
        case "list_type":
            reason = f"must be {postgres.LIST_FORMS}"
        case "string_type":
            reason = "must be a text" if len(failure["loc"]) == 1 else f"must be {postgres.LIST_FORMS}"
        case "extra_forbidden":
            return "is not a column that is imported; leave it out"
    return f"{reason} (given: {shortened(repr(value))})"
