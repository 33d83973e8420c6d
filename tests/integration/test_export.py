"""Exports from real tables and a versioned bucket: small ones at once, large ones by jobs that may die at any point."""

from __future__ import annotations

import csv
import io
import json
import random
import urllib.request
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail import exporting, moments, spreadsheet
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.erasure import exports
from imagetrail.errors import Unauthenticated
from imagetrail.exporting import Order
from imagetrail.history import HistoryQuery
from imagetrail.multipart import Multipart
from imagetrail.records import COLUMNS, image_key, index_keys
from imagetrail.settings import Settings
from imagetrail.tombstones import tombstone
from imagetrail.wiring import Deployment
from tests.integration.test_erasure import Killed, Life, schedule
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.dynamo import Item
    from imagetrail.export_job import Export
    from imagetrail.running import Runner
    from tests.conftest import Stack

__all__ = ["schedule"]

URL = "http://localhost:3000"
START = datetime(2026, 1, 1, tzinfo=UTC)
NASTY = ["=1+1", 'say "hi", you', "two\r\nlines", "", "'", " -5", "\u0430\u0301 \U0001f98a", "\t@", "a;b"]
LONG = timedelta(minutes=10)


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    given = stack.environment("ExportImages") | {
        "RUN_JOBS_FUNCTION": "nobody",
        "BUCKET_URL": f"{stack.endpoint}/{stack.outputs['Bucket']}",
    }
    worker = stack.environment("RunJobs")
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    with closing(Deployment(Settings.from_environment(given | {k: worker[k] for k in keys if k in worker}))) as made:
        yield made


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


def plant(deployment: Deployment, caller: Caller, count: int, *, size: int = 0, **columns: Any) -> list[Item]:
    """So many records, an hour between them, with pictures of `size` bytes if that is not 0."""
    records = []
    for number in range(count):
        moment = START + timedelta(hours=number)
        record = {
            "id": moments.new_id(moment),
            "user_id": caller.user_id,
            "prompt": f"{number}{NASTY[number % len(NASTY)]}" if number % 2 else NASTY[number % len(NASTY)],
            "full_prompt": "a red fox",
            "aspect_ratio": "1:1",
            "quality": "standard",
            "format": "png",
            "resolution": "1K",
            "created_at": moments.to_text(moment),
            "status": "succeeded",
            "cost_usd": 0,
            "unique_visual_elements": ["wooden, tables", "=x"],
            **columns,
        }
        if size:
            record |= {"image_url": f"/{image_key(record)}", "bytes": size}
        records.append(record)
    items = [put(record | index_keys(record)) for record in records]
    for start in range(0, count, 25):
        batch = {deployment.settings.images_table: items[start : start + 25]}
        deployment.dynamo._call("BatchWriteItem", {"RequestItems": batch})
    for record in records if size else ():
        deployment.bucket.put(image_key(record), picture(record, size), "image/png", cache_control="", tags={})
    return records


def put(item: Item) -> dict[str, Any]:
    from imagetrail.dynamo import to_attributes

    return {"PutRequest": {"Item": to_attributes(item)}}


def picture(record: Item, size: int) -> bytes:
    return random.Random(record["id"]).randbytes(size)  # noqa: S311


def order(caller: Caller, file_format: str = "csv", *, bom: bool = False, **filters: str) -> Order:
    return Order(
        user_id=caller.user_id,
        is_admin=caller.is_admin,
        format=file_format,
        bom=bom,
        filters=filters,
        public_url=URL,
    )


def small(deployment: Deployment, asked: Order) -> bytes:
    made = deployment.exporting.export(asked, later=False)
    assert isinstance(made, bytes)
    return made


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def runner(deployment: Deployment, hours: float = 0, **changed: Any) -> Runner:
    """One so many hours from now, whose parts are as small as the emulator takes them."""
    quick: dict[str, Any] = {"part": 20_000, "least": 20_000, **changed}
    export: Export = replace(deployment.export_job, **quick)
    return replace(
        deployment.runner,
        kinds={**deployment.job_kinds, exporting.KIND: export},
        now=lambda: moments.utc_now() + timedelta(hours=hours),
        pause=lambda _: None,
    )


def finished(deployment: Deployment, asked: Order, **changed: Any) -> dict[str, Any]:
    job = deployment.exporting.export(asked, later=True)
    assert isinstance(job, dict)
    runner(deployment, **changed).run(LONG, job["id"])
    return seen(deployment, asked, job["id"])


def seen(deployment: Deployment, asked: Order, job_id: str) -> dict[str, Any]:
    return deployment.exporting.shown(deployment.jobs.get(asked.caller, job_id))


def fetched(job: dict[str, Any]) -> tuple[bytes, Any]:
    with urllib.request.urlopen(job["receipt"]["file"]["url"], timeout=PATIENCE) as reply:
        return reply.read(), reply.headers


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_csv_has_every_column_of_every_record(deployment: Deployment, alice: Caller, direction: str) -> None:
    records = plant(deployment, alice, 12)
    data = small(deployment, order(alice, order=direction))
    told = rows(data)
    assert list(told[0]) == list(COLUMNS)
    expected = records if direction == "asc" else records[::-1]
    assert [row["id"] for row in told] == [record["id"] for record in expected]
    assert [spreadsheet.meant(row["prompt"]) for row in told] == [record["prompt"] for record in expected]
    assert {row["unique_visual_elements"] for row in told} == {'["wooden, tables","=x"]'}
    assert {row["cost_usd"] for row in told} == {"0.0"}
    assert small(deployment, order(alice, order=direction, bom=True)) == b"\xef\xbb\xbf" + data


def test_json_lines_are_the_records_as_the_history_has_them(deployment: Deployment, alice: Caller) -> None:
    plant(deployment, alice, 5)
    lines = small(deployment, order(alice, "jsonl")).splitlines()
    page = deployment.history.page(alice, HistoryQuery(), URL)
    assert [json.loads(line) for line in lines] == page["images"]


def test_the_filters_of_the_list_hold(deployment: Deployment, alice: Caller) -> None:
    dataset = str(uuid4())
    plant(deployment, alice, 3)
    (branded,) = plant(deployment, alice, 1, dataset_id=dataset)
    (failed,) = plant(deployment, alice, 1, status="failed")
    assert [row["id"] for row in rows(small(deployment, order(alice, dataset_id=dataset)))] == [branded["id"]]
    assert [row["id"] for row in rows(small(deployment, order(alice, status="failed")))] == [failed["id"]]
    hour: dict[str, Any] = {"from": "2026-01-01T01:00:00.000000Z", "to": "2026-01-01T02:00:00.000000Z"}
    assert len(rows(small(deployment, order(alice, **hour)))) == 1
    assert rows(small(deployment, order(Caller("nobody-at-all")))) == []


def test_an_archive_holds_pictures_and_table_and_tells_what_is_missing(deployment: Deployment, alice: Caller) -> None:
    records = plant(deployment, alice, 5, size=3000)
    plant(deployment, alice, 1, status="failed")
    deployment.bucket.delete(image_key(records[2]))
    with zipfile.ZipFile(io.BytesIO(small(deployment, order(alice, "zip", status="all")))) as read:
        assert read.testzip() is None
        kept = [record for record in records if record is not records[2]]
        assert set(read.namelist()) == {*map(image_key, kept), "generated_images.csv", "missing.csv"}
        assert all(read.read(image_key(record)) == picture(record, 3000) for record in kept)
        assert read.read("generated_images.csv") == small(deployment, order(alice, status="all"))
        assert [row["id"] for row in rows(read.read("missing.csv"))] == [records[2]["id"]]


def test_what_is_too_large_to_be_answered_becomes_a_job(deployment: Deployment, alice: Caller) -> None:
    plant(deployment, alice, 3, bytes=2_000_000, image_url="/images/x.png")
    assert isinstance(deployment.exporting.export(order(alice), later=False), bytes)
    job = deployment.exporting.export(order(alice, "zip"), later=False)
    assert isinstance(job, dict)
    assert (job["kind"], job["status"]) == ("export", "queued")
    again = deployment.exporting.export(order(alice, "zip"), later=True)
    assert isinstance(again, dict)
    assert again["id"] == job["id"]
    other = deployment.exporting.export(order(alice, "csv"), later=True)
    assert isinstance(other, dict)
    assert other["id"] != job["id"]


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_a_job_writes_what_would_have_been_answered(deployment: Deployment, alice: Caller, file_format: str) -> None:
    plant(deployment, alice, 240)
    asked = order(alice, file_format, bom=file_format == "csv")
    done = finished(deployment, asked)
    assert done["status"] == "succeeded", done
    data, headers = fetched(done)
    assert data == small(deployment, asked)
    assert done["progress"] == {"records": 240, "bytes": len(data)}
    assert done["receipt"]["file"]["bytes"] == len(data)
    assert headers["content-disposition"] == f'attachment; filename="generated_images.{file_format}"'
    assert headers["content-type"] == exporting.MEDIA_TYPES[file_format]


def test_a_history_without_records_is_a_file_too(deployment: Deployment, alice: Caller) -> None:
    assert fetched(finished(deployment, order(alice, "jsonl")))[0] == b""
    assert fetched(finished(deployment, order(alice)))[0] == spreadsheet.csv_header()
    with zipfile.ZipFile(io.BytesIO(fetched(finished(deployment, order(alice, "zip")))[0])) as read:
        assert read.namelist() == ["generated_images.csv"]


def check_archive(data: bytes, records: list[Item], table: bytes, missing: set[str]) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        names = [image_key(record) for record in records[::-1] if record["id"] not in missing]
        assert read.namelist()[: len(names)] == names
        assert read.read("generated_images.csv") == table
        told = {row["id"] for row in rows(read.read("missing.csv"))} if "missing.csv" in read.namelist() else set()
        assert told == missing
        for record in records:
            if record["id"] not in missing:
                assert read.read(image_key(record)) == picture(record, record["bytes"])


def test_a_job_makes_an_archive(deployment: Deployment, alice: Caller) -> None:
    records = plant(deployment, alice, 40, size=2500)
    deployment.bucket.delete(image_key(records[7]))
    done = finished(deployment, order(alice, "zip"))
    table = small(deployment, order(alice))
    check_archive(fetched(done)[0], records, table, {records[7]["id"]})
    assert (done["progress"]["images"], done["progress"]["missing"]) == (39, 1)


@pytest.mark.parametrize("file_format", ["csv", "zip"])
def test_parts_that_fill_slowly_are_carried_over(deployment: Deployment, alice: Caller, file_format: str) -> None:
    records = plant(deployment, alice, 30, size=500)
    asked = order(alice, file_format)
    done = finished(deployment, asked, turn=timedelta(0))
    table = small(deployment, order(alice))
    data = fetched(done)[0]
    if file_format == "csv":
        assert data == table
    else:
        check_archive(data, records, table, set())


class MortalMultipart(Multipart):
    """Uploads as a process makes them that will be killed."""

    __slots__ = ("life",)
    life: Life

    def _ask(self, *arguments: Any, **named: Any) -> Any:
        return self.life(lambda: super(MortalMultipart, self)._ask(*arguments, **named))


@pytest.mark.parametrize("file_format", ["csv", "zip"])
@pytest.mark.parametrize("seed", range(4))
def test_a_job_that_is_killed_again_and_again_makes_the_same_file(
    deployment: Deployment, alice: Caller, file_format: str, seed: int
) -> None:
    records = plant(deployment, alice, 40, size=2500)
    asked = order(alice, file_format)
    table = small(deployment, order(alice))
    chance = random.Random(seed)  # noqa: S311
    job = deployment.exporting.export(asked, later=True)
    assert isinstance(job, dict)
    hours = 0.0
    while (done := seen(deployment, asked, job["id"]))["finished_at"] is None:
        mortal = MortalMultipart(deployment.bucket)
        object.__setattr__(mortal, "life", Life(chance.randint(2, 6), chance.random() < 0.5))
        hours += 0.2
        try:
            runner(deployment, hours, multipart=mortal).run(LONG, job["id"])
        except Killed:
            continue
    assert done["status"] == "succeeded", done
    data = fetched(done)[0]
    if file_format == "csv":
        assert data == table
    else:
        check_archive(data, records, table, set())
    assert done["progress"]["records"] == 40


def test_a_part_that_another_process_wrote_over_is_noticed(deployment: Deployment, alice: Caller) -> None:
    plant(deployment, alice, 240)
    asked = order(alice)
    overwritten: list[str] = []

    class Raced(Multipart):
        """Somebody who lost the lease is late with their first part."""

        def tags(self, key: str, upload: str) -> Iterator[str]:
            if not overwritten:
                overwritten.append(upload)
                self.put(key, upload, 1, b"x" * 30_000)
            return super().tags(key, upload)

    done = finished(deployment, asked, multipart=Raced(deployment.bucket))
    assert overwritten
    assert fetched(done)[0] == small(deployment, asked)
    assert done["progress"]["records"] == 240


def test_a_link_is_shown_to_nobody_else_and_only_while_there_is_a_file(deployment: Deployment, alice: Caller) -> None:
    plant(deployment, alice, 2)
    done = finished(deployment, order(alice))
    assert done["receipt"]["file"]["url"].startswith(deployment.settings.bucket_url)
    assert "key" not in done["receipt"]["file"]
    held = deployment.jobs.get(alice, done["id"])
    assert held["receipt"]["file"]["key"].startswith(exports(alice.owner))
    later = replace(deployment.exporting, now=lambda: moments.utc_now() + timedelta(days=8))
    assert later.shown(held)["receipt"]["file"] is None


def test_an_export_ends_when_its_owner_is_erased(deployment: Deployment, alice: Caller) -> None:
    plant(deployment, alice, 3)
    job = deployment.exporting.export(order(alice), later=True)
    assert isinstance(job, dict)
    grave = {"id": tombstone(alice.owner), "at": moments.to_text(moments.utc_now())}
    deployment.dynamo._call("BatchWriteItem", {"RequestItems": {deployment.settings.ledger_table: [put(grave)]}})
    runner(deployment).run(LONG, job["id"])
    done = seen(deployment, order(alice), job["id"])
    assert done["finished_at"]
    assert done["receipt"]["file"] is None
    assert deployment.bucket.list_versions(exports(alice.owner)).versions == []


def test_who_may_see_nothing_gets_no_job(deployment: Deployment) -> None:
    closed = replace(deployment.exporting, history=_closed(deployment))
    for later in (True, False):
        with pytest.raises(Unauthenticated):
            closed.export(order(ANONYMOUS), later=later)


def _closed(deployment: Deployment) -> Any:
    from imagetrail.history import History
    from imagetrail.ledger import Days

    s = deployment.settings
    return History(deployment.dynamo, s.images_table, Days(deployment.dynamo, s.ledger_table), "none")
