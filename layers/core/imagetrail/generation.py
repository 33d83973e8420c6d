"""One generation, from the request to the finished record.

The order is: reserve the quota and write the record as pending, call the model, store the pixels, finish the record.
Whatever fails on the way, the record gets its final status and reason; what a killed process leaves pending is
settled by the sweep (`settling`), once `settle_by` has passed.
"""

from __future__ import annotations

import secrets
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import models, moments, provenance
from imagetrail.aws import AwsError
from imagetrail.errors import Blocked, ImagetrailError, Invalid, ModelFailed, Unavailable
from imagetrail.ledger import AlreadySettledError
from imagetrail.models import ImageRequest
from imagetrail.pixels import UndecodableImage, encode
from imagetrail.prompting import full_prompt
from imagetrail.records import embeddable, image_key, owner_tags, stored, thumbnail_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.dynamo import Item
    from imagetrail.ledger import Ledger
    from imagetrail.models import ImageModel
    from imagetrail.pixels import Picture
    from imagetrail.s3 import Bucket
    from imagetrail.schemas import GenerateRequest

LONGER_SIDE = {"1K": 1024, "2K": 2048, "4K": 4096}
_MIME = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_IMMUTABLE = "public, max-age=31536000, immutable"
_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Makes images and tracks them. `executor` stores the thumbnail beside the image; the rest are seams."""

    ledger: Ledger
    bucket: Bucket
    datasets: Datasets
    default_model: str
    embed_prompt: bool
    executor: Executor = field(default_factory=lambda: ThreadPoolExecutor(1))
    load_model: Callable[[str], ImageModel] = models.load
    now: Callable[[], datetime] = moments.utc_now
    new_id: Callable[[datetime], str] = moments.new_id

    def generate(self, caller: Caller, request: GenerateRequest, time_left: timedelta) -> Item:
        """The finished record. `time_left` is how long this process can go on at most.

        Raises Invalid, QuotaExhausted, Blocked, ModelFailed and Unavailable; from the second on with `image_id`.
        """
        now = self.now()
        record, asked = self._compose(caller, request, now)
        record["settle_by"] = moments.to_text(now + time_left + _MARGIN)
        pending = self.ledger.begin(record, now)
        try:
            made = self._produce(pending, asked)
        except ImagetrailError as error:
            status = "blocked" if isinstance(error, Blocked) else "failed"
            self._give_up(pending, status, f"{error.code}: {error.detail}")
            error.image_id = pending["id"]
            raise
        except Exception:
            self._give_up(pending, "failed", "internal_error: a defect of this service")
            raise
        try:
            return self._finish(pending, made)
        except Unavailable as error:
            error.image_id = pending["id"]
            raise

    def _compose(self, caller: Caller, request: GenerateRequest, now: datetime) -> tuple[Item, ImageRequest]:
        name = request.model or self.default_model
        if name not in models.NAMES:
            raise Invalid(
                "This deployment does not offer that model.",
                errors=[("model", f"must be one of {', '.join(models.NAMES)}")],
            )
        dataset = None
        if request.dataset_id is not None:
            dataset = self.datasets.find(caller, str(request.dataset_id))
            if dataset is None:
                raise Invalid("There is no such dataset.", errors=[("dataset_id", "must be a dataset you can see")])
        asked = ImageRequest(
            prompt=full_prompt(request.prompt, request.style, dataset),
            seed=secrets.randbelow(2**32 - 1) if request.seed is None else request.seed,
            width=(size := dimensions(request.aspect_ratio, request.resolution))[0],
            height=size[1],
            style=request.style,
            quality=request.quality,
            negative_prompt=request.negative_prompt,
        )
        record: Item = {
            "id": self.new_id(now),
            "user_id": caller.user_id,
            "prompt": request.prompt,
            "full_prompt": asked.prompt,
            "negative_prompt": request.negative_prompt,
            "dataset_id": dataset and dataset["id"],
            "dataset_version": dataset and dataset["version"],
            "style": request.style,
            "aspect_ratio": request.aspect_ratio,
            "quality": request.quality,
            "format": request.format,
            "resolution": request.resolution,
            "reference_images_count": 0,
            "unique_visual_elements": dataset and dataset["unique_visual_elements"],
            "reference_images": [] if dataset else None,
            "created_at": moments.to_text(now),
            "status": "pending",
            "model": name,
            "seed": asked.seed,
        }
        return record, asked

    def _produce(self, pending: Item, asked: ImageRequest) -> Item:
        started = self.now()
        output = self.load_model(pending["model"])(asked)
        made = {
            **pending,
            "provider": output.provider,
            "model": output.model,
            "seed": output.seed,
            "cost_usd": output.cost_usd,
            "dropped_params": list(output.dropped_params),
            "generation_ms": round((self.now() - started).total_seconds() * 1000),
            "width": asked.width,
            "height": asked.height,
        }
        try:
            picture = encode(output.data, asked.width, asked.height, pending["format"], trusted_svg=output.is_svg)
        except UndecodableImage:
            raise ModelFailed("The image model answered with something that is no picture.") from None
        data = provenance.embed(picture.data, embeddable(made, with_prompts=self.embed_prompt))
        self._store(made, data, picture)
        return made | stored(made, data)

    def _finish(self, pending: Item, made: Item) -> Item:
        """Writes the success. If that cannot be done now, the sweep does it: the pixels are there and paid for."""
        try:
            return self.ledger.settle(pending, made)
        except AlreadySettledError as error:
            if error.record is not None and error.record["status"] == "succeeded":
                return error.record
            self._delete_objects(pending)
            raise Unavailable("This took so long that it was given up.") from None
        except Unavailable:
            raise Unavailable("The image is made; it will appear in the history within minutes.") from None

    def _store(self, record: Mapping[str, Any], data: bytes, picture: Picture) -> None:
        tags = owner_tags(record["user_id"])

        def put(key: str, body: bytes, mime: str) -> None:
            self.bucket.put(key, body, mime, cache_control=_IMMUTABLE, tags=tags)

        thumbnail = self.executor.submit(put, thumbnail_key(record), picture.thumbnail, _MIME["webp"])
        try:
            put(image_key(record), data, _MIME[record["format"]])
        finally:
            wait([thumbnail])
        thumbnail.result()

    def _give_up(self, pending: Item, status: str, reason: str) -> None:
        """Settles a failure. What cannot be done now is left to the sweep: the caller is told either way."""
        leftovers = False
        try:
            self._delete_objects(pending)
        except (Unavailable, AwsError):
            leftovers = True
        with suppress(Unavailable, AwsError, AlreadySettledError):
            self.ledger.settle(pending, {"status": status, "error": reason}, leftovers=leftovers)

    def _delete_objects(self, record: Item) -> None:
        self.bucket.delete(image_key(record))
        self.bucket.delete(thumbnail_key(record))


def dimensions(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height in pixels: the longer side is that of the resolution."""
    across, down = (int(part) for part in aspect_ratio.split(":"))
    longer = LONGER_SIDE[resolution]
    shorter = round(longer * min(across, down) / max(across, down))
    return (longer, shorter) if across >= down else (shorter, longer)
