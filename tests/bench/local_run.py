"""Speed of the local run at the front door, with a short and a long history of one user."""

from __future__ import annotations

import json
import tempfile
import time
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from imagetrail.dynamo import to_attributes
from local.emulator import snapshot
from local.emulator.disk import Disk
from local.testing import Service, running
from local.token import token
from tests.bench.corpus import records
from tests.bench.rows import QUICK, Effort, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.processes import Stub

USER = "alice"
_PAGE = "/ai/generated-images?limit=50"
_WORD = "coba"  # the most frequent word of the corpus


def rows(_stub: Stub, effort: Effort) -> Iterator[Row]:
    """For each length of history: start, memory, and the reads that a page makes."""
    calls = 20 if effort is QUICK else 100
    for count in (1_000,) if effort is QUICK else (1_000, 100_000):
        with tempfile.TemporaryDirectory() as name:
            data = Path(name) / "data"
            with running(data):
                pass
            fill(data, count)
            with running(data) as service:
                _wait_for_the_index(service)
            started = time.perf_counter()
            with running(data) as service:
                what = f"local run, {count:,} images"
                yield Row(f"{what}: start", "s", time.perf_counter() - started)
                yield Row(f"{what}: emulator's memory", "MB", _memory(service))
                yield from _reads(service, what, calls)


def fill(data: Path, count: int) -> None:
    """Writes records of one user into the journal of a service that is stopped."""
    saved, journal = snapshot.opened(data, Disk(data, reserve=0))
    tables = saved.services["dynamodb"]["tables"]._data.values()
    (table,) = [table for table in tables if "StorageImages" in table["TableName"]]
    for record in records(f"user:{USER}", count):
        journal.append((table["TableId"], record["id"], "__no_sort__", to_attributes(record)))
    journal.close()


def _reads(service: Service, what: str, calls: int) -> Iterator[Row]:
    first = _get(service, _PAGE)
    page = first
    for _ in range(18):
        page = _get(service, f"{_PAGE}&cursor={page['next_cursor']}")
    paths = {
        "list": _PAGE,
        "page 20": f"{_PAGE}&cursor={page['next_cursor']}",
        "filter": f"{_PAGE}&from=2025-01-02T00:00:00Z&to=2025-01-04T00:00:00Z",
        "search": f"/ai/generated-images/search?q={_WORD}&limit=50",
        "get": f"/ai/generated-images/{first['images'][0]['id']}",
    }
    for name, path in paths.items():
        _get(service, path)
        times = []
        for _ in range(calls):
            started = time.perf_counter()
            _get(service, path)
            times.append((time.perf_counter() - started) * 1000)
        cuts = quantiles(times, n=100)
        yield Row(f"{what}: {name} p50", "ms", cuts[49])
        yield Row(f"{what}: {name} p99", "ms", cuts[98])


@cache
def _authorization(service: Service) -> str:
    return f"Bearer {token(service.folder, USER, [])}"


def _get(service: Service, path: str) -> Any:
    authorization = _authorization(service)
    where = urlsplit(service.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=60)
    try:
        connection.request("GET", path, headers={"authorization": authorization})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return json.loads(body)
    finally:
        connection.close()


def _wait_for_the_index(service: Service) -> None:
    """Waits until the records are indexed, which a process of the service does when it starts."""
    deadline = time.monotonic() + 600
    while _children(service, "local.catch_up"):
        if time.monotonic() > deadline:
            raise TimeoutError("the search index is not ready")
        time.sleep(0.2)


def _memory(service: Service) -> float:
    """Resident memory of the emulator, in MB."""
    (emulator,) = _children(service, "local.emulator")
    (line,) = [line for line in (emulator / "status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def _children(service: Service, module: str) -> list[Path]:
    """Folders in /proc of the service's child processes that run this module."""
    main = Path(f"/proc/{service.process.pid}")
    children = [Path("/proc") / pid for pid in (main / "task" / main.name / "children").read_text().split()]
    return [child for child in children if module.encode() in (child / "cmdline").read_bytes().split(b"\0")]
