"""The erasure of a user on the emulator, as fast as it goes: records a second, and whether it slows down or swells.

    python -m tests.bench.erasing 100000 10

measures one of that size, of which every tenth record has its objects, and tells the rate of each tenth.
"""

from __future__ import annotations

import logging
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.callers import Caller
from imagetrail.dynamo import to_attributes
from imagetrail.erasing import USER
from imagetrail.records import image_key, index_keys, thumbnail_key
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.testing import deployed
from tests.bench import items
from tests.bench.rows import Effort, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.dynamo import Item
    from tests.bench.processes import Stub

_BATCH = 25
_FIRST = datetime(2026, 2, 3, tzinfo=UTC)


def rows(_stub: Stub, effort: Effort) -> Iterator[Row]:
    """Rows of 1.5 KB with an image and a thumbnail each."""
    marks, growth = measure(effort.erased)
    yield Row("erase", "rows/s", effort.erased / marks[-1][0])
    yield Row("erase memory growth", "MB", growth)


def measure(count: int, every: int = 1) -> tuple[list[tuple[float, int]], float]:
    """Seconds and records erased by then, page by page, and the megabytes that the process grew by after the first."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder) / "data") as stack:
        scheduler = stack.client("scheduler")
        for name in ("run-jobs", "settle-pending", "purge-trash"):
            held = scheduler.get_schedule(Name=f"imagetrail-{name}")
            same = {key: held[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
            scheduler.update_schedule(**same, State="DISABLED")
        given = stack.environment("EraseMe") | {"RUN_JOBS_FUNCTION": "nobody"}
        with closing(Deployment(Settings.from_environment(given))) as deployment:
            return _erase(deployment, count, every)


def _erase(deployment: Deployment, count: int, every: int) -> tuple[list[tuple[float, int]], float]:
    alice = Caller("alice")
    _plant(deployment, alice, count, every)
    marks: list[tuple[float, int]] = []
    sizes: list[int] = []
    started = time.perf_counter()

    def mark(_seconds: float) -> None:
        held = deployment.dynamo.get(deployment.settings.ledger_table, f"job {job['id']}") or {}
        marks.append((time.perf_counter() - started, held.get("progress", {}).get("records", 0)))
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    erasure = replace(deployment.erasure, longest_request=timedelta(0), rate=1e9, pause=mark)
    job = deployment.erasing.me(alice)
    replace(deployment.runner, kinds={USER: erasure}).run(timedelta(hours=3), job["id"])
    done = deployment.jobs.get(alice, job["id"])
    if (done["status"], done["progress"]["records"]) != ("succeeded", count):
        raise RuntimeError(f"the erasure ended otherwise: {done}")
    drained = [mark for mark in marks if mark[1] < count]
    return [*drained, (marks[len(drained)][0], count)], (sizes[-1] - sizes[0]) / 1024


def _plant(deployment: Deployment, caller: Caller, count: int, every: int) -> None:
    template = items.records()[1]
    table = deployment.settings.images_table

    def plant(start: int) -> None:
        batch = [_record(template, caller, number) for number in range(start, min(start + _BATCH, count))]
        puts = [{"PutRequest": {"Item": to_attributes(record)}} for record in batch]
        deployment.dynamo._call("BatchWriteItem", {"RequestItems": {table: puts}})
        for record in batch[::every]:
            for key in (image_key(record), thumbnail_key(record)):
                deployment.bucket.put(key, b"pixels", "image/png", cache_control="", tags={})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(plant, range(0, count, _BATCH)))


def _record(template: Item, caller: Caller, number: int) -> Item:
    moment = _FIRST + timedelta(seconds=number)
    own = {"id": moments.new_id(moment), "user_id": caller.user_id, "created_at": moments.to_text(moment)}
    record = {**template, **own}
    return record | index_keys(record)


if __name__ == "__main__":
    size = int(sys.argv[1])
    course, grown = measure(size, int(sys.argv[2]))
    for tenth in range(1, 11):
        reached = [(seconds, erased) for seconds, erased in course if erased <= size * tenth / 10]
        before = [(seconds, erased) for seconds, erased in course if erased <= size * (tenth - 1) / 10] or [(0.0, 0)]
        seconds, erased = reached[-1][0] - before[-1][0], reached[-1][1] - before[-1][1]
        print(f"{tenth * 10:3d} %  {erased / max(seconds, 1e-9):7.0f} records/s")
    print(f"{size / course[-1][0]:.0f} records/s in all; the process grew by {grown:.1f} MB after its first page")
