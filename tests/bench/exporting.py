"""An export by its job: records a second of our own CPU, and whether the process swells with their number.

The emulator's Query reads its whole partition each time, so what a clock on the wall says is its time and not ours.

    python -m tests.bench.exporting 100000

measures one of that size.
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
from typing import TYPE_CHECKING, Any

from imagetrail import exporting, moments
from imagetrail.callers import Caller
from imagetrail.dynamo import to_attributes
from imagetrail.exporting import Order
from imagetrail.records import image_key, index_keys
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.testing import deployed
from tests.bench import items
from tests.bench.rows import Effort, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.dynamo import Item
    from imagetrail.jobs import Progress
    from tests.bench.processes import Stub

_BATCH = 25
_FIRST = datetime(2026, 2, 3, tzinfo=UTC)
_PICTURE = 20_000


def rows(_stub: Stub, effort: Effort) -> Iterator[Row]:
    """CSV of rows of 1.5 KB."""
    rate, growth = measure(effort.erased, "csv")
    yield Row("export CSV", "rows/CPU s", rate)
    yield Row("export memory growth", "MB", growth)


def measure(count: int, file_format: str) -> tuple[float, float]:
    """Records a second of CPU, and megabytes that the process grew by after the first part."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder) / "data") as stack:
        scheduler = stack.client("scheduler")
        held = scheduler.get_schedule(Name="imagetrail-run-jobs")
        same = {key: held[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        scheduler.update_schedule(**same, State="DISABLED")
        given = stack.environment("ExportImages") | {"RUN_JOBS_FUNCTION": "nobody"}
        keys = {name: value for name, value in stack.environment("RunJobs").items() if name.startswith("AWS_")}
        with closing(Deployment(Settings.from_environment(given | keys))) as deployment:
            return _export(deployment, count, file_format)


def _export(deployment: Deployment, count: int, file_format: str) -> tuple[float, float]:
    alice = Caller("alice")
    _plant(deployment, alice, count, with_pictures=file_format == "zip")
    sizes: list[int] = []
    page = deployment.export_job

    def watched(job: Item) -> Progress:
        progress = page(job)
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return progress

    order = Order(user_id="alice", is_admin=False, format=file_format, bom=False, filters={}, public_url="")
    started = time.process_time()
    job: Any = deployment.exporting.export(order, later=True)
    replace(deployment.runner, kinds={exporting.KIND: watched}).run(timedelta(hours=3), job["id"])
    seconds = time.process_time() - started
    done = deployment.jobs.get(alice, job["id"])
    if (done["status"], done["progress"]["records"]) != ("succeeded", count):
        raise RuntimeError(f"the export ended otherwise: {done}")
    return count / seconds, (sizes[-1] - sizes[0]) / 1024


def _plant(deployment: Deployment, caller: Caller, count: int, *, with_pictures: bool) -> None:
    template = items.records()[1]
    table = deployment.settings.images_table

    def plant(start: int) -> None:
        batch = [_record(template, caller, number) for number in range(start, min(start + _BATCH, count))]
        puts = [{"PutRequest": {"Item": to_attributes(record)}} for record in batch]
        deployment.dynamo._call("BatchWriteItem", {"RequestItems": {table: puts}})
        for record in batch if with_pictures else ():
            deployment.bucket.put(image_key(record), bytes(_PICTURE), "image/png", cache_control="", tags={})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(plant, range(0, count, _BATCH)))


def _record(template: Item, caller: Caller, number: int) -> Item:
    moment = _FIRST + timedelta(seconds=number)
    own = {"id": moments.new_id(moment), "user_id": caller.user_id, "created_at": moments.to_text(moment)}
    record = {**template, **own}
    return record | index_keys(record)


if __name__ == "__main__":
    asked = sys.argv[2] if len(sys.argv) > 2 else "csv"
    pace, grown = measure(int(sys.argv[1]), asked)
    print(f"{pace:.0f} records a second of CPU; the process grew by {grown:.1f} MB after its first part")
