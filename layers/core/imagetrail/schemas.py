"""The bodies of requests and answers: what validates the former, and what the OpenAPI document says of both."""

from __future__ import annotations

from datetime import date, datetime
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


def _jpeg_is_jpg(value: object) -> object:
    return "jpg" if value == "jpeg" else value


def _usual_form(value: object) -> object:
    return Identifier("").parse(value) if isinstance(value, str) else value


Prompt = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT), AfterValidator(_not_blank)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_not_blank)]
Vibe = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_not_blank)]
Elements = Annotated[list[ShortText], Field(max_length=50)]
Id = Annotated[UUID, Field(strict=False), BeforeValidator(_usual_form)]


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
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="Random when absent")
    model: ShortText | None = Field(None, description="The deployment's own choice when absent")


class DeletedUser(BaseModel):
    """Whose account is gone."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="The subject of their tokens"
    )


class UserDeleted(RequestBody):
    """A webhook's message (Standard Webhooks); what else it holds is passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)

    type: Literal["user.deleted"]
    data: DeletedUser


def _seed(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED
    if not (number or value in ("same", "new")):
        raise ValueError(f"must be same, new or a whole number from 0 to {MAX_SEED}")
    return value


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


Moment = Annotated[datetime, BeforeValidator(_moment)]


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


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReferenceImage(_Answer):
    """A reference image that the model was given."""

    key: str
    sha256: str


class Image(_Answer):
    """The record of one generation."""

    id: UUID
    user_id: str | None
    prompt: str
    full_prompt: str
    image_url: str | None
    dataset_id: UUID | None
    style: str | None
    aspect_ratio: AspectRatio
    quality: Quality
    format: Format
    resolution: Resolution
    reference_images_count: int
    unique_visual_elements: list[str] | None
    created_at: datetime
    status: Status
    error: str | None
    provider: str | None
    model: str | None = Field(description="The name by which this deployment offers it")
    model_id: str | None = Field(description="The vendor's own name of what answered")
    seed: int | None
    negative_prompt: str | None
    width: int | None
    height: int | None
    bytes: int | None
    sha256: str | None
    thumbnail_url: str | None
    cost_usd: float | None
    generation_ms: int | None
    parent_id: UUID | None
    dataset_version: int | None
    visual_elements_source: ElementsSource | None = Field(description="Where the dataset's visual elements came from")
    reference_images: list[ReferenceImage] | None
    dropped_params: list[str] | None
    favorite: bool
    deleted_at: datetime | None


class GeneratedImage(Image):
    """The record of one generation, with the names that POST /ai/generate has always used."""

    caption: str = Field(description="The prompt")
    prompt_used: str = Field(description="The full prompt")


class LineageNode(_Answer):
    """An image in its family."""

    id: UUID
    parent_id: UUID | None
    created_at: datetime
    status: Status
    prompt_start: str = Field(description="The first 200 characters of the prompt")
    changed: list[str] = Field(description="The columns in which it was asked for otherwise than its parent")
    model: str | None
    seed: int | None
    image_url: str | None
    thumbnail_url: str | None
    favorite: bool
    children: list[LineageNode] = Field(description="What was made from it, oldest first")


class Lineage(_Answer):
    """The family of an image, as far as the caller sees it.

    What is deleted or not the caller's is left out: its children stand under the nearest image that is shown, or as
    roots of their own.
    """

    image_id: UUID
    count: int = Field(description="The number of images shown")
    truncated: bool = Field(description="Whether the family is larger than what an answer shows")
    roots: list[LineageNode]


class ImagePage(_Answer):
    """Part of the history."""

    images: list[Image]
    count: int = Field(description="The number of images in this page")
    offset: int
    limit: int
    next_cursor: str | None = Field(description="Where the next page starts; null at the end")


class BatchItem(_Answer):
    """What became of one image: 200, or the status, code and detail of the problem it met."""

    id: UUID
    status: int
    code: str | None
    detail: str | None


class BatchResult(_Answer):
    """What became of many images."""

    succeeded: int
    failed: int
    results: list[BatchItem]


class DatasetReference(_Answer):
    """A reference image of a dataset: `awaiting` its upload, `ready` for models, or `refused` for a `reason`."""

    id: UUID
    status: Literal["awaiting", "ready", "refused"]
    reason: str | None
    file_name: str | None
    content_type: str
    width: int | None
    height: int | None
    bytes: int | None
    sha256: str | None
    created_at: datetime
    url: str | None = Field(description="Opens for 15 minutes at least; null in lists")
    thumbnail_url: str | None = Field(description="Opens for 15 minutes at least; null in lists")


class ReferenceUpload(_Answer):
    """Where to upload a reference image: POST `fields`, then the file as the last field `file`, to `url`."""

    id: UUID
    dataset_id: UUID
    url: str
    fields: dict[str, str]
    max_bytes: int
    expires_at: datetime


class Fragment(_Answer):
    """A piece of a prompt."""

    text: str
    match: bool = Field(description="Whether the search is why it is shown")


class FoundImage(Image):
    """The record of one generation, and why it was found."""

    score: float | None = Field(description="How relevant it is; null when sorted by time")
    snippet: list[Fragment] = Field(description="The part of the prompt that matched, in order: plain text, no markup")


class SearchPage(_Answer):
    """Part of what a search found."""

    images: list[FoundImage]
    count: int = Field(description="The number of images in this page")
    limit: int
    next_cursor: str | None = Field(description="Where the next page starts; null at the end")


class Dataset(_Answer):
    """A brand dataset."""

    id: UUID
    user_id: str | None
    name: str
    brand: str | None
    vibe: str | None
    unique_visual_elements: list[str]
    visual_elements_source: ElementsSource | None = Field(
        description="manual: typed; extracted from the reference images; edited after that"
    )
    reference_images: list[DatasetReference]
    visibility: Visibility
    version: int = Field(description="Grows with every change")
    created_at: datetime
    updated_at: datetime


class DatasetPage(_Answer):
    """Some datasets, newest first."""

    datasets: list[Dataset]
    count: int
    limit: int
    next_cursor: str | None


class Prices(_Answer):
    """US dollars for one image, by resolution."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    one_k: float = Field(alias="1K")
    two_k: float = Field(alias="2K")
    four_k: float = Field(alias="4K")


class Model(_Answer):
    """What an image model does by itself. What it does not is done for it, or named in `dropped_params`."""

    name: str
    default: bool
    aspect_ratios: list[AspectRatio]
    resolutions: list[Resolution]
    styles: list[str] = Field(description="Presets known to the vendor; any other style still stands in the prompt")
    reference_images: int = Field(description="How many reference images it takes")
    seed: bool
    negative_prompt: bool
    quality: bool
    slow: list[Resolution] = Field(description="Resolutions that are answered 202: they take longer than a request may")
    max_prompt: int | None = Field(description="Characters of full prompt it takes; null if all that can be sent")
    price_usd: Prices


class ModelPage(_Answer):
    """The image models that this deployment offers."""

    models: list[Model]


class Standing(_Answer):
    """A limit, what is used of it, and when it starts anew."""

    limit: float
    used: float
    left: float
    resets_at: datetime


class Usage(_Answer):
    """What is left; null where this deployment sets no limit."""

    daily_images: Standing | None
    monthly_budget_usd: Standing | None = Field(None, description="Shown to admins only")


class Kept(_Answer):
    """What a finished job leaves standing."""

    what: str
    why: str
    until: str


class JobFile(_Answer):
    """What a job has made, to be fetched."""

    name: str
    bytes: int
    url: str = Field(description="Opens for 15 minutes at least; look at the job again for another")
    expires_at: datetime = Field(description="When the file itself is deleted")


class Receipt(_Answer):
    """What a finished job did. It names nobody."""

    counts: dict[str, int]
    requested_at: datetime
    finished_at: datetime
    kept: list[Kept] | None = Field(None, description="Of an erasure")
    file: JobFile | None = Field(None, description="Of an export, until it is deleted")


class Job(_Answer):
    """Work that goes on after its request was answered."""

    id: UUID
    kind: Literal["erase_user", "delete_dataset", "export", "change_images"]
    status: Literal["queued", "running", "succeeded", "failed"]
    progress: dict[str, int] = Field(description="What is done so far, by kind of thing")
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    error: str | None
    receipt: Receipt | None = Field(description="When it has succeeded")


class Figures(_Answer):
    """What some records come to. A rate of nothing is null."""

    records: int
    images: int = Field(description="Those that succeeded")
    kept: int = Field(description="Those of them that are not in the trash")
    favorites: int = Field(description="Those of the kept that are marked")
    regenerations: int = Field(description="Those that were made by regenerating another")
    failed: int
    blocked: int
    pending: int
    cost_usd: float
    cost_per_kept_usd: float | None
    favorite_rate: float | None = Field(description="Favorites among the kept")
    favorite_rate_at_least: float | None = Field(description="With 95 % confidence: small samples are seen as such")
    regenerate_rate: float | None = Field(description="Regenerations among all")
    failure_rate: float | None = Field(description="Failed among the finished")
    block_rate: float | None = Field(description="Blocked among the finished")


class Latency(_Answer):
    """How long successful generations took, in milliseconds, within 4.4 %."""

    p50: float | None
    p90: float | None
    p99: float | None


class ReportRow(Figures):
    """The figures of a period, of a key such as `model`, or of both."""

    period: date | None = Field(None, description="The first day of the row's period")
    user_id: str | None = None
    dataset_id: str | None = None
    element: str | None = None
    term: str | None = None
    setting: str | None = None
    value: str | None = None
    model: str | None = None
    code: str | None = None
    latency_ms: Latency | None = None
    days_active: int | None = None
    most_images_a_day: int | None = None
    days_at_limit: int | None = None
    records_at_most: int | None = Field(None, description="Given where a large day may have forgotten some of them")
    previous: Figures | None = Field(None, description="The same key in as many days before")


class PreviousDays(_Answer):
    """The figures of as many days before."""

    from_: date = Field(alias="from")
    to: date
    total: Figures


class ReportLimits(_Answer):
    """What this deployment allows; null is without limit."""

    user_daily_images: int | None
    anonymous_daily_images: int | None
    monthly_budget_usd: float | None


class SkippedRecords(_Answer):
    """Records that could not be counted, some of them by id."""

    records: int
    ids: list[str]


class Report(_Answer):
    """Figures of some days, as far as the caller may see."""

    report: str
    scope: Literal["all", "user", "anonymous"]
    user_id: str | None
    from_: date = Field(alias="from")
    to: date = Field(description="Not included")
    by: Literal["day", "week", "month"] | None
    as_of: datetime | None = Field(description="When the last of these days was counted; null if none was")
    total: Figures
    previous: PreviousDays
    rows: list[ReportRow]
    count: int
    rows_left_out: int = Field(description="Rows past `limit`")
    left_out_at_most: int = Field(description="Records that a row may have that is nowhere listed; 0 is none")
    limits: ReportLimits | None = Field(None, description="Given by quotas")
    skipped: SkippedRecords | None = Field(None, description="Shown to admins")


class FieldError(_Answer):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(_Answer):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None
    image_id: UUID | None = Field(None, description="The record of the generation that failed")


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
        case "int_type":
            return "must be a whole number"
    return str(failure["msg"]).replace("Input should", "must").replace("must be a valid", "must be a")
