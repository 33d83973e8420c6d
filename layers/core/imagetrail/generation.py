"""One generation, from the request to the finished record.

The order is: reserve the quota and write the record as pending, call the model, store the pixels, finish the record.
The second half works from the record alone: it runs in the process that began or, after the queue, in another.
Whatever fails on the way, the record gets its final status and reason; what a killed process leaves pending is
settled by the sweep (`settling`), once `settle_by` has passed.
"""

from __future__ import annotations

from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import moments, prices, provenance
from imagetrail.allowances import micros
from imagetrail.aws import AwsError
from imagetrail.callers import NOWHERE, Origin
from imagetrail.errors import Blocked, ImagetrailError, Invalid, ModelFailed, Unavailable
from imagetrail.fitting import Wish, fit
from imagetrail.ledger import AlreadySettledError
from imagetrail.pending_record import pending_record
from imagetrail.pixels import UndecodableImage, encode
from imagetrail.records import IMMUTABLE, MIME, embeddable, image_key, owner_tags, stored, thumbnail_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from imagetrail.accounts import Account, Balance
    from imagetrail.allowances import Limits
    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.dynamo import Item
    from imagetrail.ledger import Ledger
    from imagetrail.models import ImageRequest, ModelOutput, Reference
    from imagetrail.models.catalog import Catalog
    from imagetrail.pixels import Picture
    from imagetrail.s3 import Bucket
    from imagetrail.schemas import GenerateRequest

_MARGIN = timedelta(seconds=60)
_FINISHING = timedelta(seconds=4)


@dataclass(slots=True)
class _Attempt:
    """Which model was asked last, and whether its vendor may have taken money: from the call on, unless it says not.

    Of the reference images that were `loaded`, it was given the first `given`.
    """

    model: str
    charged: bool = False
    loaded: list[Item] = field(default_factory=list)
    given: int = 0

    def references(self, pending: Item) -> Item:
        """The columns that say which reference images were used; a record without a dataset names none."""
        named = None if pending.get("reference_images") is None else self.loaded[: self.given]
        return {"reference_images": named, "reference_images_count": self.given}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Makes images and tracks them. `executor` stores the thumbnail beside the image; the rest are seams.

    `load` fetches reference images: those that are still there.
    """

    ledger: Ledger
    bucket: Bucket
    datasets: Datasets
    load: Callable[[Iterable[Item]], list[tuple[Item, Reference]]]
    catalog: Catalog
    limits: Limits
    embed_prompt: bool
    executor: Executor
    now: Callable[[], datetime] = moments.utc_now
    new_id: Callable[[datetime], str] = moments.new_id

    def generate(
        self, caller: Caller, request: GenerateRequest, time_left: timedelta, origin: Origin = NOWHERE
    ) -> tuple[Item, list[Balance]]:
        """The finished record, and what is left of what it drew on: `start` and `finish` in one process."""
        started = self.now()
        pending, balances = self.start(caller, request, time_left + _MARGIN, origin)
        return self.finish(pending, time_left - (self.now() - started)), balances

    def start(
        self,
        caller: Caller,
        request: GenerateRequest,
        patience: timedelta,
        origin: Origin = NOWHERE,
        *,
        image_id: str | None = None,
        queued: bool = False,
        columns: Mapping[str, Any] | None = None,
    ) -> tuple[Item, list[Balance]]:
        """The pending record, and what is left of what it drew on. If nobody finishes it within `patience`, it fails.

        `origin` is where an anonymous caller is; `queued` says that another process will claim and finish it;
        `columns` stand in the record whatever the request would give. Raises
        Invalid, QuotaExhausted, BudgetExhausted and Unavailable, and then leaves nothing behind.
        """
        now = self.now()
        until = now + patience
        record = {**self._compose(caller, request, image_id or self.new_id(now), now), **(columns or {})}
        candidates = self.catalog.choose(request.model, record["full_prompt"])
        record |= {
            "model": candidates[0],
            "candidates": candidates,
            "settle_by": moments.to_text(until),
            "queued": queued or None,
        }
        return self.ledger.begin(record, self._draws(caller, origin, record, candidates, now), until, now)

    def is_slow(self, request: GenerateRequest) -> bool:
        """Whether the model to be asked first may take longer for this than the gateway waits. Raises Invalid."""
        return request.resolution in self.catalog.offers[self.catalog.choose(request.model)[0]].slow

    def claim(self, image_id: str, time_left: timedelta) -> Item | None:
        """A queued generation, from now on this process's own to `finish`; None if it is done, or somebody else's."""
        now = self.now()
        return self.ledger.claim(image_id, until=now + time_left + _MARGIN, now=now)

    def finish(self, pending: Item, time_left: timedelta) -> Item:
        """Asks the models of a pending record that is this process's own, and returns the finished record.

        `time_left` is how long this process can go on at most. Raises Blocked, ModelFailed and Unavailable, each with
        `image_id`.
        """
        deadline = self.now() + time_left - _FINISHING
        attempt = _Attempt(pending["model"])
        try:
            wish = self._wish(pending, attempt)
            made = self._produce(pending, wish, pending["candidates"], deadline, attempt)
        except ImagetrailError as error:
            status = "blocked" if isinstance(error, Blocked) else "failed"
            self._give_up(pending, status, f"{error.code}: {error.detail}", attempt)
            error.image_id = pending["id"]
            raise
        except Exception:
            self._give_up(pending, "failed", "internal_error: a defect of this service", attempt)
            raise
        try:
            return self._settle(pending, made)
        except Unavailable as error:
            error.image_id = pending["id"]
            raise

    def _draws(
        self, caller: Caller, origin: Origin, record: Item, candidates: list[str], now: datetime
    ) -> list[tuple[Account, int]]:
        """The accounts that this generation draws on, and how much: of the budget, what the dearest candidate takes."""
        draws: list[tuple[Account, int]] = []
        if (quota := self.limits.daily(caller, origin, now)) is not None:
            draws.append((quota, 1))
        if (budget := self.limits.monthly(now)) is not None:
            draws.append((budget, micros(max(prices.stamp(record, name) for name in candidates))))
        return draws

    def abandon(self, pending: Item) -> bool:
        """Gives up a queued record. False if a worker has it: then its message got through after all."""
        outcome = _Attempt(pending["model"]).references(pending) | {
            "status": "failed",
            "error": f"{Unavailable.code}: It could not be queued.",
            "cost_usd": 0.0,
        }
        try:
            self.ledger.settle(pending, outcome)
        except AlreadySettledError as error:
            return error.record is None
        except (Unavailable, AwsError):
            return True
        return True

    def _compose(self, caller: Caller, request: GenerateRequest, image_id: str, now: datetime) -> Item:
        dataset = None
        if request.dataset_id is not None:
            dataset = self.datasets.find(caller, str(request.dataset_id))
            if dataset is None:
                raise Invalid("There is no such dataset.", errors=[("dataset_id", "must be a dataset you can see")])
        return pending_record(caller.user_id, request, dataset, image_id, now)

    def _wish(self, record: Item, attempt: _Attempt) -> Wish:
        """What was asked for, as the record has it, with as many reference images as any candidate takes."""
        offered = record.get("reference_images") or []
        most = max(self.catalog.offers[name].references for name in record["candidates"])
        loaded = self.load(offered[:most])
        attempt.loaded = [entry for entry, _ in loaded]
        return Wish(
            prompt=record["full_prompt"],
            aspect_ratio=record["aspect_ratio"],
            resolution=record["resolution"],
            quality=record["quality"],
            image_format=record["format"],
            seed=record.get("seed"),
            style=record.get("style"),
            negative_prompt=record.get("negative_prompt"),
            references=tuple(reference for _, reference in loaded),
            references_offered=len(offered),
        )

    def _produce(self, pending: Item, wish: Wish, candidates: list[str], deadline: datetime, attempt: _Attempt) -> Item:
        started = self.now()
        request, dropped, output = self._ask(wish, candidates, deadline, attempt)
        made = {**pending, **attempt.references(pending)}
        made |= {
            "provider": output.provider,
            "model": attempt.model,
            "model_id": output.model,
            "seed": output.seed,
            "cost_usd": prices.stamp(made, attempt.model, output.paid_resolution),
            "dropped_params": dropped,
            "generation_ms": round((self.now() - started).total_seconds() * 1000),
            "width": request.width,
            "height": request.height,
        }
        try:
            picture = encode(output.data, request.width, request.height, pending["format"], trusted_svg=output.is_svg)
        except UndecodableImage:
            detail = "The image model answered with something that is no picture."
            raise ModelFailed(detail, charged=True) from None
        data = provenance.embed(picture.data, embeddable(made, with_prompts=self.embed_prompt))
        self._store(made, data, picture)
        return made | stored(made, data)

    def _ask(
        self, wish: Wish, candidates: list[str], deadline: datetime, attempt: _Attempt
    ) -> tuple[ImageRequest, list[str], ModelOutput]:
        """The first answer among the candidates. None is asked after one that may have charged."""
        for number, name in enumerate(candidates, 1):
            attempt.model, attempt.charged = name, False
            seconds = max((deadline - self.now()).total_seconds(), 1)
            request, dropped = fit(wish, self.catalog.offers[name], seconds)
            model = self.catalog.model(name)
            attempt.charged, attempt.given = True, len(request.references)
            try:
                output = model(request)
            except Blocked as error:
                attempt.charged = error.charged
                raise
            except ModelFailed as error:
                attempt.charged = error.charged
                self.catalog.report(name, error)
                if error.charged or number == len(candidates):
                    raise
            else:
                self.catalog.report(name, None)
                return request, dropped, output
        raise ModelFailed("No image model is offered.")

    def _settle(self, pending: Item, made: Item) -> Item:
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
            self.bucket.put(key, body, mime, cache_control=IMMUTABLE, tags=tags)

        thumbnail = self.executor.submit(put, thumbnail_key(record), picture.thumbnail, MIME["webp"])
        try:
            put(image_key(record), data, MIME[record["format"]])
        finally:
            wait([thumbnail])
        thumbnail.result()

    def _give_up(self, pending: Item, status: str, reason: str, attempt: _Attempt) -> None:
        """Settles a failure. What cannot be done now is left to the sweep: the caller is told either way."""
        leftovers = False
        try:
            self._delete_objects(pending)
        except (Unavailable, AwsError):
            leftovers = True
        used = attempt.references(pending)
        outcome = used | {
            "status": status,
            "error": reason,
            "model": attempt.model,
            "cost_usd": prices.stamp({**pending, **used}, attempt.model) if attempt.charged else 0.0,
        }
        with suppress(Unavailable, AwsError, AlreadySettledError):
            self.ledger.settle(pending, outcome, leftovers=leftovers)

    def _delete_objects(self, record: Item) -> None:
        self.bucket.delete(image_key(record))
        self.bucket.delete(thumbnail_key(record))
