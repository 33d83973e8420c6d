"""The table against the bucket: everything that is wrong is named, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cli.check import Check
from cli.objects import Objects
from cli.recover import Recovery
from imagetrail.callers import Caller
from imagetrail.dynamo import Expression, assignment
from imagetrail.records import image_key, index_keys, thumbnail_key
from local.testing import deployed
from tests.integration.operated import EXISTS, generate, held, lose, operated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.deployments import Opened
    from imagetrail.dynamo import Item
    from tests.conftest import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("check")) as stack:
        yield stack


@pytest.fixture
def parts(stack: Stack) -> Iterator[Opened]:
    """Those of an empty deployment."""
    with operated(stack) as parts:
        yield parts
        settings = parts.deployment.settings
        s3, dynamodb = parts.client("s3"), parts.client("dynamodb")
        for item in dynamodb.scan(TableName=settings.images_table)["Items"]:
            dynamodb.delete_item(TableName=settings.images_table, Key={"id": item["id"]})
        for entry in s3.list_objects_v2(Bucket=settings.bucket).get("Contents", ()):
            s3.delete_object(Bucket=settings.bucket, Key=entry["Key"])


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def check(parts: Opened, *, deep: bool = False) -> list[tuple[str, str]]:
    shares: list[float] = []
    found = sorted(Check.of(parts, deep=deep).run(shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return [(what, where) for what, where in found]


def change(parts: Opened, record: Item, **columns: Any) -> None:
    changed = {**record, **columns}
    changes = columns | {name: value for name, value in index_keys(changed).items() if record.get(name) != value}
    parts.deployment.dynamo.update(parts.deployment.settings.images_table, record["id"], assignment(changes), EXISTS)


def test_what_is_whole_is_clean(parts: Opened, caller: Caller) -> None:
    kept, trashed, failed = (generate(parts, caller, format=image_format) for image_format in ("png", "jpg", "webp"))
    pending = generate(parts, caller)
    change(parts, trashed, deleted_at="2026-02-02T10:30:00.000000Z")
    change(parts, failed, status="failed", error="model_failed: no")
    change(parts, pending, status="pending", settle_by="2099")
    for record in (trashed, failed, pending):
        parts.deployment.bucket.delete(image_key(record))
        parts.deployment.bucket.delete(thumbnail_key(record))
    assert check(parts) == check(parts, deep=True) == []
    assert held(parts, kept["id"]) == kept


def test_the_trash_is_clean_and_what_is_brought_back_from_it(parts: Opened, caller: Caller) -> None:
    thrown, restored, half_done = (generate(parts, caller) for _ in range(3))
    trash = parts.deployment.trash
    for record in (thrown, restored):
        trash.throw(caller, record["id"])
    trash.restore(caller, restored["id"])
    change(parts, half_done, deleted_at="2026-02-02T10:30:00.000000Z", trash="hide", trash_due="2026-02-02")
    assert check(parts, deep=True) == []
    lose(parts, restored["id"])
    lose(parts, thrown["id"])
    assert sorted(where for _, where in check(parts)) == [image_key(restored), thumbnail_key(restored)]
    Recovery.of(parts, lambda *_: None).run("", lambda _: None)
    assert held(parts, restored["id"])["status"] == "succeeded"
    assert held(parts, thrown["id"]) == {}


def test_everything_that_is_wrong_is_named(parts: Opened, caller: Caller) -> None:
    bucket, table = parts.deployment.bucket, parts.deployment.settings.images_table
    names = ("bare", "thumbless", "resized", "trashed", "failed", "misplaced", "unlisted", "lost", "repainted", "whole")
    records = {name: generate(parts, caller) for name in names}
    ids = {name: record["id"] for name, record in records.items()}
    bucket.delete(image_key(records["bare"]))
    bucket.delete(thumbnail_key(records["bare"]))
    bucket.delete(thumbnail_key(records["thumbless"]))
    bucket.put(image_key(records["resized"]), b"x", "image/jpeg", cache_control="", tags={})
    bucket.put(
        image_key(records["repainted"]), b"x" * records["repainted"]["bytes"], "image/jpeg", cache_control="", tags={}
    )
    change(parts, records["trashed"], deleted_at="2026-02-02T10:30:00.000000Z")
    change(parts, records["failed"], status="failed", error="model_failed: no")
    parts.deployment.dynamo.update(table, ids["misplaced"], assignment({"shelf": None}), EXISTS)
    change(parts, records["unlisted"], created_at="1999-02-02T10:30:00.000000Z")
    lose(parts, ids["lost"])
    bucket.put("images/notes.txt", b"hello", "text/plain", cache_control="", tags={})
    bucket.put(f"thumbnails/{(stray := str(uuid4()))}.webp", b"x", "image/webp", cache_control="", tags={})
    found = [
        ("a record of a day that is not noted", ids["unlisted"]),
        ("a record that indexes misplace", ids["misplaced"]),
        ("a record with pixels of another size", ids["resized"]),
        ("a record without a thumbnail", ids["bare"]),
        ("a record without a thumbnail", ids["thumbless"]),
        ("a record without pixels", ids["bare"]),
        ("a thumbnail without a record", thumbnail_key(records["lost"])),
        ("a thumbnail without a record", f"thumbnails/{stray}.webp"),
        ("pixels of an image in the trash", ids["trashed"]),
        ("pixels of an image that failed", ids["failed"]),
        ("pixels without a record", image_key(records["lost"])),
        ("pixels without a record", "images/notes.txt"),
    ]
    assert check(parts) == sorted(found)
    assert check(parts, deep=True) == sorted([*found, ("a record with other pixels", ids["repainted"])])
    Recovery.of(parts, lambda *_: None).run("", lambda _: None)
    assert not [where for _, where in check(parts) if ids["lost"] in where]


def test_what_changes_meanwhile_is_no_finding(parts: Opened, caller: Caller) -> None:
    erased, made_late = generate(parts, caller), generate(parts, caller)
    table = parts.deployment.settings.images_table
    lose(parts, made_late["id"])

    class Meanwhile(Objects):
        """A bucket in which one image is erased, and the record of another one arrives, as it is listed."""

        def pages(self, prefix: str, start_after: str = "") -> Iterator[list[Any]]:
            for page in super().pages(prefix, start_after):
                yield page
                for key in (image_key(erased), thumbnail_key(erased)):
                    parts.deployment.bucket.delete(key)
                if held(parts, erased["id"]):
                    lose(parts, erased["id"])

    class Late:
        """A table whose scan began before that record."""

        def get_paginator(self, _operation: str) -> Late:
            return self

        def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
            yield {"Items": []}
            parts.deployment.dynamo.put(table, made_late, Expression("attribute_not_exists(#id)"))

    objects = Meanwhile(parts.client("s3"), parts.deployment.settings.bucket)
    assert list(Check(parts.deployment, objects, Late()).run(lambda _: None)) == []


def test_records_without_a_picture_are_only_counted_until_there_are_pixels(parts: Opened, caller: Caller) -> None:
    none = dict.fromkeys(("image_url", "thumbnail_url", "sha256", "bytes", "width", "height"))
    never, left = generate(parts, caller), generate(parts, caller)
    change(parts, left, **none)
    change(parts, never, **none)
    for key in (image_key(never), thumbnail_key(never)):
        parts.deployment.bucket.delete(key)
    found = [("pixels that their record does not know", left["id"])]
    assert check(parts) == check(parts, deep=True) == found
    inspection = Check.of(parts, deep=False)
    assert list(inspection.run(lambda _: None)) == found
    assert inspection.pictureless == 2
    parts.deployment.bucket.delete(image_key(left))
    assert check(parts) == found  # the thumbnail
    parts.deployment.bucket.delete(thumbnail_key(left))
    assert check(parts, deep=True) == []


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"cost_usd": "lots"}, "cost_usd"),
        ({"format": None, "prompt": 7}, "prompt, format"),
        ({"status": None}, "status"),
        ({"dropped_params": {"a", "b"}}, "dropped_params"),
        ({"created_at": "2026-02-02"}, "created_at"),
        ({"seed": 2**64}, "seed"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_record_that_cannot_be_read_is_named(
    parts: Opened, caller: Caller, columns: dict[str, Any], named: str, *, deep: bool
) -> None:
    record = generate(parts, caller)
    parts.deployment.dynamo.update(parts.deployment.settings.images_table, record["id"], assignment(columns), EXISTS)
    assert (f"a record whose {named} cannot be read", record["id"]) in check(parts, deep=deep)
