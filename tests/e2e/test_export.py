"""Taking the history away over HTTP: as it streams, and by a job with its link."""

from __future__ import annotations

import csv
import io
import json
import urllib.request
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from tests.e2e.test_api import Client, anonymous, sign_in
from tests.e2e.test_erasure import finished, job_of
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["anonymous", "sign_in"]

EXPORT = "/ai/generated-images/export"


def test_a_user_takes_a_small_history_away(sign_in: Callable[..., Client]) -> None:
    alice = sign_in(f"alice-{uuid4()}")
    images = [alice.generate(prompt=prompt).json for prompt in ('=1+1 "x"', "ein Fuchs\u2009\U0001f98a\r\nim Schnee")]

    answer = alice.get(f"{EXPORT}?format=csv&order=asc&bom=true")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="generated_images.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))
    assert [row["id"] for row in rows] == [image["id"] for image in images]
    assert [row["prompt"] for row in rows] == ['\'=1+1 "x"', "ein Fuchs\u2009\U0001f98a\r\nim Schnee"]

    lines = alice.get(f"{EXPORT}?format=jsonl&order=asc").body.splitlines()
    assert [json.loads(line) for line in lines] == [alice.get(f"/ai/generated-images/{i['id']}").json for i in images]

    with zipfile.ZipFile(io.BytesIO(alice.get(f"{EXPORT}?format=zip").body)) as read:
        assert read.testzip() is None
        for image in images:
            assert read.read(f"images/{image['id']}.png") == alice.get(f"/images/{image['id']}.png").body

    assert len(sign_in(f"bob-{uuid4()}").get(EXPORT).body.splitlines()) == 1


def test_a_job_ends_with_a_link(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    alice = sign_in(f"alice-{uuid4()}")
    image = alice.generate().json
    asked = alice.get(f"{EXPORT}?format=zip&async=true")
    assert (asked.status, job_of(asked).kind) == (202, "export")
    location = asked.headers["location"]
    assert anonymous.get(location).status == 404
    job = finished(alice, location)
    assert job.status == "succeeded", job
    assert job.receipt is not None
    assert job.receipt.file is not None
    with urllib.request.urlopen(job.receipt.file.url, timeout=PATIENCE) as reply:
        assert reply.headers["content-type"] == "application/zip"
        assert reply.headers["content-disposition"] == 'attachment; filename="generated_images.zip"'
        data = reply.read()
    assert len(data) == job.receipt.file.bytes
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.read(f"images/{image['id']}.png") == alice.get(f"/images/{image['id']}.png").body
    unsigned = urlsplit(job.receipt.file.url).path
    assert anonymous.get(unsigned).status == 404


def test_prefer_respond_async_is_applied(sign_in: Callable[..., Client]) -> None:
    asked = sign_in(f"alice-{uuid4()}").call("GET", EXPORT, said={"prefer": "respond-async"})
    assert asked.status == 202
    assert asked.headers["preference-applied"] == "respond-async"


def test_what_makes_no_sense_is_refused(anonymous: Client) -> None:
    answer = anonymous.get(f"{EXPORT}?format=xlsx&limit=5&async=maybe")
    assert answer.status == 422
    told = answer.problem().errors or []
    assert sorted(error.field for error in told) == ["async", "format", "limit"]
