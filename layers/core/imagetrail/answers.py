"""The bodies of answers, as the OpenAPI document tells of them: no request waits for these models to be made."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from imagetrail.schemas import AspectRatio, ElementsSource, Format, Quality, Resolution, Status, Visibility


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
    """The outcome for one image: 200, or the status, code and detail of its problem.

    `changed` is false where the image was as the action leaves it before: undoing the action is about the others.
    """

    id: UUID
    status: int
    code: str | None
    detail: str | None
    changed: bool


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

    score: float | None = Field(description="How relevant it is; null by time, and where nothing ranks")
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
    found: bool | None = Field(None, description="Of a user's erasure: false when nothing was stored under this id")
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
