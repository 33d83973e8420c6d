"""Reference images: asked for, uploaded past the functions, checked on arrival, given to models."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.errors import Conflict, Invalid, NotFound
from imagetrail.models import Reference
from imagetrail.records import MIME
from imagetrail.reference_entries import (
    counts,
    incoming_key,
    is_forgotten,
    of_incoming,
    stem,
    thumbnail_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.dynamo import Item
    from imagetrail.presigning import Presigner
    from imagetrail.s3 import Bucket

LIMIT = 14  # the most that a model takes
MAX_BYTES = 10_000_000
UPLOAD_TIME = timedelta(minutes=15)
_CHECKING_TIME = timedelta(minutes=5)
_SHOWN_TIME = timedelta(days=1)
_MAX_ENTRIES = 2 * LIMIT
_CACHED = "private, max-age=900"
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The reference images of datasets. Each write of a dataset touches one of them, so none is lost to another."""

    datasets: Datasets
    bucket: Bucket
    presigner: Presigner
    executor: Executor
    now: Callable[[], datetime] = moments.utc_now
    new_id: Callable[[datetime], str] = moments.new_id
    pause: Callable[[float], None] = time.sleep

    def request_upload(self, caller: Caller, dataset_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A place on the dataset, and a form by which one file of this type can be put there for 15 minutes.

        Raises NotFound, Forbidden, Invalid and Conflict.
        """
        now = self.now()
        reference_id, until = self.new_id(now), now + UPLOAD_TIME
        entry = {
            "status": "awaiting",
            "content_type": fields["content_type"],
            "file_name": fields.get("file_name"),
            "created_at": moments.to_text(now),
            "awaited_until": moments.to_text(until + _CHECKING_TIME),
            "forget_at": moments.to_text(until + _SHOWN_TIME),
        }
        stored = {name: value for name, value in entry.items() if value is not None}
        for _ in range(_ATTEMPTS):
            dataset = self.datasets.changeable(caller, dataset_id)
            if reference_id in dataset.get("reference_images", {}) or self._register(dataset, reference_id, stored):
                key = incoming_key(dataset_id, reference_id)
                return {
                    "id": reference_id,
                    "dataset_id": dataset_id,
                    "url": self.presigner.address,
                    "fields": self.presigner.form(key, fields["content_type"], MAX_BYTES, UPLOAD_TIME),
                    "max_bytes": MAX_BYTES,
                    "expires_at": moments.to_text(until),
                }
            self.pause(random.random() * _PAUSE_SECONDS)  # noqa: S311 (jitter)
        raise Conflict("Too many reference images are being added at once. Try again.")

    def confirm(self, key: str) -> str:
        """Judges what was uploaded to `key`, and says on the dataset what came of it; returns that.

        May be called for the same upload any number of times, in any order with a deletion. Raises Unavailable.
        """
        ids = of_incoming(key)
        if ids is None:
            return "ignored"
        outcome = str(self._entry(*ids).get("status", "deleted"))
        if outcome == "awaiting":
            uploaded = self.bucket.get(key)
            if uploaded is None:  # somebody else is at it, or was
                return "ignored"
            outcome = self._settle(*ids, self._judge(*ids, uploaded))
        if outcome == "deleted":
            self.bucket.purge(stem(*ids))
        self.bucket.purge(key)
        return outcome

    def delete(self, caller: Caller, dataset_id: str, reference_id: str) -> dict[str, Any]:
        """Removes a reference image and all its objects; returns the dataset. Raises NotFound and Forbidden."""
        dataset = self.datasets.changeable(caller, dataset_id)
        known = reference_id in dataset.get("reference_images", {})
        if known:
            self._write(dataset_id, reference_id, "REMOVE #reference_images.#reference", _EXISTS)
        # Even if it is not known: somebody may be here again because this failed the first time.
        self.bucket.purge(stem(dataset_id, reference_id))
        self.bucket.purge(incoming_key(dataset_id, reference_id))
        if not known:
            raise NotFound("The dataset has no such reference image.")
        return self.datasets.get(caller, dataset_id)

    def load(self, wanted: Iterable[Mapping[str, str]]) -> list[tuple[Item, Reference]]:
        """Of these (key and sha256 of each), those that are still there as they were, with their bytes.

        Raises Unavailable.
        """
        entries = [dict(entry) for entry in wanted]
        loaded = self.executor.map(lambda entry: self.bucket.get(entry["key"]), entries)
        return [
            (entry, Reference(data=data, mime=MIME[entry["key"].rpartition(".")[2]]))
            for entry, data in zip(entries, loaded, strict=True)
            if data is not None and hashlib.sha256(data).hexdigest() == entry["sha256"]
        ]

    def _register(self, dataset: Item, reference_id: str, entry: Item) -> bool:
        """Puts an entry among those that were read; False if there are others now. Raises Invalid."""
        held, now = dataset.get("reference_images", {}), self.now()
        if sum(counts(other, now) for other in held.values()) >= LIMIT:
            raise Invalid(f"A dataset has at most {LIMIT} reference images. Delete one first.")
        gone = [name for name in sorted(held) if is_forgotten(held[name], now)]
        idle = [name for name in sorted(held) if name not in gone and not counts(held[name], now)]
        gone += idle[: max(0, len(held) - len(gone) + 1 - _MAX_ENTRIES)]
        names = {f"gone{number}": name for number, name in enumerate(gone)}
        removal = " REMOVE " + ", ".join(f"#reference_images.#{name}" for name in names) if names else ""
        change = f"#reference_images.#reference = :entry{removal}"
        condition = Expression("size(#reference_images) = :held", {"held": len(held)})
        if "reference_images" not in dataset:  # one of before there were any
            change = "#reference_images = :entries"
            condition = Expression("attribute_exists(#version) AND attribute_not_exists(#reference_images)")
        values = {"entry": entry, "entries": {reference_id: entry}}
        return self._write(dataset["id"], reference_id, f"SET {change}", condition, values, names)

    def _judge(self, dataset_id: str, reference_id: str, uploaded: bytes) -> Item:
        """What becomes of the entry. A picture that is accepted is stored, under a key that holds one for good."""
        from imagetrail.pixels import UndecodableImage, accept

        try:
            picture = accept(uploaded)
            key = f"{stem(dataset_id, reference_id)}{picture.kind}"
            data: bytes | None = picture.data
            if not self.bucket.create(key, picture.data, MIME[picture.kind], cache_control=_CACHED):
                data = self.bucket.get(key)
                picture = accept(data or b"")
        except UndecodableImage as error:
            return {
                "status": "refused",
                "reason": str(error),
                "forget_at": moments.to_text(self.now() + _SHOWN_TIME),
            }
        thumbnail = thumbnail_key(dataset_id, reference_id)
        self.bucket.create(thumbnail, picture.thumbnail, MIME["webp"], cache_control=_CACHED)
        return {
            "status": "ready",
            "key": key,
            "content_type": MIME[picture.kind],
            "width": picture.width,
            "height": picture.height,
            "bytes": len(data or b""),
            "sha256": hashlib.sha256(data or b"").hexdigest(),
        }

    def _settle(self, dataset_id: str, reference_id: str, outcome: Item) -> str:
        """Writes what came of an upload that was awaited; returns what stands."""
        parts = ", ".join(f"#reference_images.#reference.#{name} = :{name}" for name in outcome)
        awaited = Expression("#reference_images.#reference.#status = :awaiting", {"awaiting": "awaiting"})
        if self._write(dataset_id, reference_id, f"SET {parts}", awaited, outcome):
            return str(outcome["status"])
        standing = self._entry(dataset_id, reference_id)
        if standing and "key" in outcome and standing.get("key") != outcome["key"]:
            self.bucket.purge(outcome["key"])  # another file came first, under the same form
        return str(standing.get("status", "deleted"))

    def _entry(self, dataset_id: str, reference_id: str) -> Item:
        dataset = self.datasets.read(dataset_id) or {}
        entry: Item = dataset.get("reference_images", {}).get(reference_id, {})
        return entry

    def _write(
        self,
        dataset_id: str,
        reference_id: str,
        change: str,
        condition: Expression,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """One change of the dataset that raises its version; False if the condition did not hold."""
        text = f"{change} " if change.startswith("REMOVE") else ""
        assigned = "" if text else f", {change.removeprefix('SET ')}"
        expression = Expression(
            f"{text}SET #version = #version + :one, #updated_at = :now{assigned}",
            {"one": 1, "now": moments.to_text(self.now()), **(values or {})},
            {"reference": reference_id, **(names or {})},
        )
        try:
            self.datasets.dynamo.update(self.datasets.table, dataset_id, expression, condition)
        except ConditionFailedError:
            return False
        return True


_EXISTS = Expression("attribute_exists(#reference_images.#reference)")
