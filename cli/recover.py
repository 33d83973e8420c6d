"""Rebuilds the table of images from the pixels: each carries its own record, and its owner as tags.

What is not in the pixels is lost: favourites, the trash, generations that failed, and the prompts of a deployment that
leaves them out.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli.objects import IMAGES, Objects
from imagetrail import moments, provenance
from imagetrail.answers import Image
from imagetrail.aws import AwsError
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.ledger import Days
from imagetrail.pixels import UndecodableImage, measure, thumbnail
from imagetrail.records import (
    COLUMNS,
    IMMUTABLE,
    image_key,
    index_keys,
    owner_tags,
    public,
    stored,
    tagged_owner,
    thumbnail_key,
)
from imagetrail.schemas import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.deployments import Opened
    from imagetrail.dynamo import Item
    from imagetrail.wiring import Deployment

_WORKERS = 8
_CHUNK = 100
_KEY = re.compile(r"images/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(png|jpg|webp)")
_DATASETS_REMEMBERED = 10_000


class Irrecoverable(Exception):
    """An object that no record can be made of; the message says why."""


@dataclass(slots=True)
class Report:
    """How many objects were seen, and what became of them; `after` is the key up to which all is done.

    `present` had a record already, `gone` were deleted meanwhile. Of the recovered, `unowned` carry no owner, and
    `promptless` no prompts; `thumbnails` were made anew.
    """

    recovered: int = 0
    present: int = 0
    gone: int = 0
    refused: int = 0
    unowned: int = 0
    promptless: int = 0
    thumbnails: int = 0
    after: str = ""


@dataclass(slots=True)
class Recovery:
    """One pass over the images of the bucket, which may be stopped anywhere and run again.

    A record that there is is never written over: it knows more than the pixels do.
    """

    deployment: Deployment
    objects: Objects
    tell: Callable[[str, str], None]
    report: Report = field(default_factory=Report)
    _noted_days: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, parts: Opened, tell: Callable[[str, str], None]) -> Recovery:
        """That of a deployment; `tell` is given the key of what cannot be recovered, and the reason."""
        return cls(parts.deployment, Objects(parts.client("s3"), parts.deployment.settings.bucket), tell)

    def run(self, start_after: str, progress: Callable[[str], None]) -> Report:
        """Recovers what comes after a key; `progress` is told up to which key all is done."""
        self.report.after = start_after
        has_dataset = lru_cache(_DATASETS_REMEMBERED)(self._has_dataset)
        with ThreadPoolExecutor(_WORKERS) as workers:
            for page in self.objects.pages(IMAGES, start_after):
                keys = [found.key for found in page]
                for start in range(0, len(keys), _CHUNK):
                    chunk = keys[start : start + _CHUNK]
                    self._count(chunk, list(workers.map(lambda key: self._recovered(key, has_dataset), chunk)))
                    progress(self.report.after)
        return self.report

    def _count(self, keys: Sequence[str], outcomes: Sequence[set[str] | Irrecoverable]) -> None:
        for key, outcome in zip(keys, outcomes, strict=True):
            if isinstance(outcome, Irrecoverable):
                self.report.refused += 1
                self.tell(key, str(outcome))
            else:
                for name in outcome:
                    setattr(self.report, name, getattr(self.report, name) + 1)
        self.report.after = keys[-1]

    def _recovered(self, key: str, has_dataset: Callable[[str], bool]) -> set[str] | Irrecoverable:
        """What became of one object, as the names of the report's counters. Raises Unavailable."""
        try:
            return self._recover(key, has_dataset)
        except Irrecoverable as error:
            return error
        except AwsError as error:
            return Irrecoverable(f"AWS refuses it: {error}")
        except ClientError as error:
            return Irrecoverable(f"AWS refuses it: {error.response['Error']['Code']}")

    def _recover(self, key: str, has_dataset: Callable[[str], bool]) -> set[str]:
        dynamo, table = self.deployment.dynamo, self.deployment.settings.images_table
        if (named := _KEY.fullmatch(key)) is None:
            raise Irrecoverable("its name is not that of an image")
        if dynamo.get(table, named[1]) is not None:
            return {"present"}
        if (data := self.deployment.bucket.get(key)) is None:
            return {"gone"}
        record, outcome = rebuilt(key, data, self.objects.tags(key), has_dataset)
        if self.deployment.tombstones.stands(record["owner"]):
            raise Irrecoverable("its user is being erased")
        if self.objects.size(thumbnail_key(record)) is None:
            self._make_thumbnail(record, data)
            outcome.add("thumbnails")
        if (day := record["created_at"][:10]) not in self._noted_days:
            Days(dynamo, self.deployment.settings.ledger_table).note(day)
            self._noted_days.add(day)
        try:
            dynamo.put(table, record, Expression("attribute_not_exists(#id)"))
        except ConditionFailedError:
            ours = {name: value for name, value in record.items() if value is not None}
            if dynamo.get(table, record["id"], consistent=True) != ours:  # else the answer to our first try was lost
                return {"present"}
        if self.objects.size(key) is None:  # deleted with its record, after that was looked for
            dynamo.delete(table, record["id"], Expression("#sha256 = :sha256", {"sha256": record["sha256"]}))
            return {"gone"}
        return outcome

    def _has_dataset(self, dataset_id: str) -> bool:
        return self.deployment.dynamo.get(self.deployment.settings.datasets_table, dataset_id) is not None

    def _make_thumbnail(self, record: Item, data: bytes) -> None:
        try:
            preview = thumbnail(data)
        except UndecodableImage as error:
            raise Irrecoverable(f"it cannot be decoded: {error}") from None
        self.deployment.bucket.put(
            thumbnail_key(record),
            preview,
            "image/webp",
            cache_control=IMMUTABLE,
            tags=owner_tags(record["user_id"]),
        )


def rebuilt(
    key: str, data: bytes, tags: Mapping[str, str], has_dataset: Callable[[str], bool]
) -> tuple[Item, set[str]]:
    """The item that an image's bytes and tags tell of, and the counters it belongs to. Raises Irrecoverable.

    Format, width and height are those of the pixels, whatever the embedded record says. A dataset that no longer exists
    is named by no record, as when it was deleted.
    """
    try:
        held = measure(data)
        embedded = provenance.extract(data)
        user_id = tagged_owner(tags)
    except UndecodableImage as error:
        raise Irrecoverable(f"it cannot be decoded: {error}") from None
    except (provenance.NoProvenance, ValueError) as error:
        raise Irrecoverable(str(error)) from None
    record: dict[str, Any] = {column: embedded[column] for column in COLUMNS if column in embedded}
    promptless = "prompt" not in record
    record |= {"prompt": "", "full_prompt": ""} if promptless else {}
    try:
        record |= {"user_id": user_id, "format": held.kind, "width": held.width, "height": held.height}
        record |= stored(record, data)
        _check(record)
    except KeyError as error:
        raise Irrecoverable(f"its record lacks {error}") from None
    if image_key(record | {"format": key.rpartition(".")[2]}) != key:
        raise Irrecoverable("it carries the record of another image")
    if image_key(record) != key:
        raise Irrecoverable(f"its name ends in .{key.rpartition('.')[2]}, but it is a {held.kind} file")
    if record.get("dataset_id") and not has_dataset(record["dataset_id"]):
        record["dataset_id"] = None
    counters = {"recovered", *(["unowned"] if user_id is None else []), *(["promptless"] if promptless else [])}
    return record | index_keys(record), counters


def _check(record: Mapping[str, Any]) -> None:
    """Whether it is a record as the API promises one. Raises Irrecoverable."""
    try:
        Image.model_validate_json(orjson.dumps(public(record, "")), strict=True)
        usual = moments.to_text(moments.from_text(record["created_at"])), str(UUID(record["id"]))
    except ValidationError as error:
        field_name, message = messages(error)[0]
        raise Irrecoverable(f"its record has a {field_name} that {message}") from None
    except (ValueError, TypeError) as error:
        raise Irrecoverable(f"its record is not valid: {error}") from None
    if usual != (record["created_at"], record["id"]):
        raise Irrecoverable("its record has a time or an id that is not written in the usual form")
