"""The bodies of requests: what validates them, and what the OpenAPI document says of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from imagetrail import moments
from imagetrail.callers import MAX_USER_ID_BYTES
from imagetrail.errors import Invalid
from imagetrail.queries import Identifier

MAX_PROMPT = 10_000
MAX_SEED = 4_294_967_294
MAX_IDS = 200

AspectRatio = Literal["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5", "5:4", "21:9", "9:21"]
Quality = Literal["draft", "standard", "high"]
Format = Literal["png", "jpg", "webp"]
Resolution = Literal["1K", "2K", "4K"]
Status = Literal["pending", "succeeded", "failed", "blocked"]
Visibility = Literal["private", "public"]
ElementsSource = Literal["manual", "extracted", "edited"]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _fits_as_user_id(text: str) -> str:
    if len(text.encode()) > MAX_USER_ID_BYTES:
        raise ValueError(f"must have at most {MAX_USER_ID_BYTES} bytes in UTF-8")
    return text


def _jpeg_is_jpg(value: object) -> object:
    return "jpg" if value == "jpeg" else value


def _usual_form(value: object) -> object:
    return Identifier("").parse(value) if isinstance(value, str) else value


Prompt = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT), AfterValidator(_not_blank)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_not_blank)]
Vibe = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_not_blank)]
Elements = Annotated[list[ShortText], Field(max_length=50)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_USER_ID_BYTES), AfterValidator(_fits_as_user_id)]
Id = Annotated[UUID, Field(strict=False), BeforeValidator(_usual_form)]


_A_SEED = f"a whole number from 0 to {MAX_SEED}"


def whole(value: object) -> object:
    """A JSON number without a fraction as an int: to JSON, and to JSON Schema, 7.0 is the integer 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _seed_number(value: object) -> object:
    number = whole(value)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_SEED:
        raise ValueError(f"must be {_A_SEED}")
    return number


class RequestBody(BaseModel):
    """A body that is refused for any field it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


Body = TypeVar("Body", bound=RequestBody)


class GenerateRequest(RequestBody):
    """What to generate."""

    prompt: Prompt
    dataset_id: Id | None = Field(None, description="A dataset of yours, or a public one")
    style: ShortText | None = None
    aspect_ratio: AspectRatio = "1:1"
    quality: Quality = "standard"
    format: Annotated[Format, BeforeValidator(_jpeg_is_jpg)] = Field("png", description="jpeg is read as jpg")
    resolution: Resolution = Field("1K", description="The longer side: 1024, 2048 or 4096 pixels")
    negative_prompt: Prompt | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), BeforeValidator(_seed_number)] | None = Field(
        None, description=f"{_A_SEED.capitalize()}, the range of Stability AI's models; random when absent"
    )
    model: ShortText | None = Field(None, description="The deployment's own choice when absent")


class EraseUserRequest(RequestBody):
    """The user to erase."""

    user_id: UserId = Field(description="The subject of their tokens, to the letter: `me` is a user called me")


class DeletedUser(BaseModel):
    """Whose account is gone."""

    id: UserId = Field(description="The subject of their tokens")


class UserDeleted(RequestBody):
    """A webhook's message (Standard Webhooks); what else it holds is passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)

    type: Literal["user.deleted"]
    data: DeletedUser


def _seed(value: object) -> object:
    if value in ("same", "new"):
        return value
    try:
        return _seed_number(value)
    except ValueError:
        raise ValueError(f"must be same, new or {_A_SEED}") from None


_SEED = {"anyOf": [{"enum": ["same", "new"]}, {"type": "integer", "minimum": 0, "maximum": MAX_SEED}]}
Seed = Annotated[str | int, WrapValidator(lambda value, _: _seed(value)), WithJsonSchema(_SEED)]


def _left_out() -> Any:
    """A field that may be left out and may not be null. Read such a body with `exclude_unset`."""
    return Field(None, json_schema_extra=_forget_default)


def _forget_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class RegenerateRequest(RequestBody):
    """What to do otherwise than the image was made; what is left out stays as it was."""

    seed: Seed = Field("new", description="The image's own, a random one, or a number")
    dataset: Literal["frozen", "current"] = Field("frozen", description="The image's dataset as it was, or as it is")
    prompt: Prompt = _left_out()
    dataset_id: Id | None = _left_out()
    style: ShortText | None = _left_out()
    aspect_ratio: AspectRatio = _left_out()
    quality: Quality = _left_out()
    format: Annotated[Format, BeforeValidator(_jpeg_is_jpg)] = _left_out()
    resolution: Resolution = _left_out()
    negative_prompt: Prompt | None = _left_out()
    model: ShortText | None = _left_out()

    @model_validator(mode="after")
    def _is_one_dataset(self) -> RegenerateRequest:
        if {"dataset", "dataset_id"} <= self.model_fields_set and self.dataset == "frozen":
            raise ValueError("another dataset_id is used as it is: leave dataset out")
        return self


class DatasetFields(RequestBody):
    """A brand: what its images have in common."""

    name: ShortText
    brand: ShortText | None = None
    vibe: Vibe | None = None
    unique_visual_elements: Elements = Field(default_factory=list)
    visibility: Visibility | None = Field(None, description="private when absent; always public without a token")


def _moment(value: object) -> object:
    return moments.from_text(value) if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(moments.SCHEMA)]


class ImageFilter(RequestBody):
    """What to act on: the images that GET /ai/generated-images lists for the same words."""

    dataset_id: Id | None = None
    status: Literal[Status, "deleted", "all"] | None = Field(
        None, description="succeeded when absent; deleted for restore"
    )
    favorite: Literal[True] | None = None
    from_: Moment | None = Field(None, alias="from", description="Included")
    to: Moment | None = Field(None, description="Not included")

    @model_validator(mode="after")
    def _is_a_range(self) -> ImageFilter:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise ValueError("to must be later than from")
        return self


class BatchRequest(RequestBody):
    """One action on many images: give either `ids` or `filter`, which may be empty for all."""

    action: Literal["delete", "restore", "favorite", "unfavorite"]
    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)] | None = None
    filter: ImageFilter | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> BatchRequest:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or filter")
        return self


class DatasetChanges(RequestBody):
    """The fields to change; those left out stay. Null clears a brand or a vibe."""

    name: ShortText = _left_out()
    brand: ShortText | None = _left_out()
    vibe: Vibe | None = _left_out()
    unique_visual_elements: Elements = _left_out()
    visibility: Visibility = _left_out()


class ReferenceUploadRequest(RequestBody):
    """A reference image that is about to be uploaded."""

    content_type: Literal["image/png", "image/jpeg", "image/webp"]
    file_name: ShortText | None = None


def validated(model: type[Body], document: Any, complaint: str) -> Body:
    """The document as a model. Raises Invalid with the complaint and every field that is at fault."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise Invalid(complaint, errors=messages(error)) from None


def messages(error: Any) -> list[tuple[str, str]]:
    """Each failure of a pydantic ValidationError as (field, what to change)."""
    return [
        (".".join(str(part) for part in failure["loc"]) or "body", _message(failure))
        for failure in error.errors(include_url=False, include_input=False)
    ]


def _message(failure: Any) -> str:
    context = failure.get("ctx", {})
    match failure["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known field; leave it out"
        case "literal_error":
            return f"must be {'true' if context['expected'] == 'True' else 'one of ' + context['expected']}"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "string_too_short":
            return "must not be empty"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"must have at most {context['max_length']} entries"
        case "value_error":
            return str(context["error"])
        case "uuid_parsing" | "uuid_type":
            return "must be a UUID such as 019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11"
        case "model_type":
            return "must be a JSON object"
        case "int_parsing_size":
            return "is too large a number"
        case "int_type":
            return "must be a whole number"
    return str(failure["msg"]).replace("Input should", "must").replace("must be a valid", "must be a")
