"""Search over a million records of a thousand owners beside the naive way: a filter over the caller's partition.

The index holds all records; the table, on the emulator, those of the caller who searches. Each process that is measured
runs `python -m tests.bench.searching MODE COUNT`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.dynamo import Expression, to_attributes
from imagetrail.search import manifest
from imagetrail.search.engine import View
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.testing import deployed
from tests.bench import corpus
from tests.bench.processes import ROOT
from tests.bench.rows import QUICK, Effort, Row
from tests.bench.worker import resident_mb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.stack import Stack
    from tests.bench.processes import Stub

_DOCUMENTS, _QUICK_DOCUMENTS = 1_000_000, 20_000
_RACERS = 16


def rows(_stub: Stub, effort: Effort) -> Iterator[Row]:
    """What a search costs, what it replaces, and what races lose."""
    documents = _QUICK_DOCUMENTS if effort is QUICK else _DOCUMENTS
    folders = corpus.folders(documents)
    with tempfile.TemporaryDirectory() as name, deployed(Path(name)) as stack:
        _pause_the_indexer(stack)
        environment = stack.environment("SearchImages")
        with closing(Deployment(Settings.from_environment(environment))) as deployment:
            _publish(deployment, folders)
            owned = _fill(stack, deployment, documents)
            size = sum(sum(part.files.values()) for part in _parts(deployment))
            yield Row("search documents", "", documents)
            yield Row("search caller's records", "", owned)
            yield Row("search index", "MB", size / 1e6)
            calls = 40 if effort is QUICK else 200
            warm = _measured("warm", environment, calls)
            yield Row("search warm p50", "CPU ms", warm["cpu p50"])
            yield Row("search warm p99", "CPU ms", warm["cpu p99"])
            yield Row("search warm p50", "ms", warm["wall p50"])
            yield Row("search memory", "MB", warm["memory"])
            cold = [_measured("cold", environment, 1) for _ in range(effort.cold_rounds)]
            yield Row("search cold", "CPU ms", median(one["cpu"] for one in cold))
            yield Row("search cold", "ms", median(one["wall"] for one in cold))
            naive = _measured("naive", environment, 3 if effort is QUICK else 7)
            yield Row("contains over the partition p50", "CPU ms", naive["cpu p50"])
            yield Row("contains over the partition p50", "ms", naive["wall p50"])
            yield Row("contains / search, in turn", "× ms", naive["ratio"])
            everyone = _measured("everyone", environment | {"ANONYMOUS_HISTORY": "all"}, 20)
            yield Row("search of all shards p50", "ms", everyone["wall p50"])
            lost, seconds = _race(deployment, environment, 2 if effort is QUICK else 5)
            yield Row("16 racing indexers, lost", "", lost)
            yield Row("16 racing indexers, a batch of 5", "ms", seconds * 1000)


def _pause_the_indexer(stack: Stack) -> None:
    mapping = stack.resources["IndexImagesChanges"]
    stack.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)


def _publish(deployment: Deployment, folders: list[Path]) -> None:
    """Puts the index on S3, as a rebuild would."""
    indexer = deployment.indexer
    until = moments.to_text(moments.utc_now())

    def write(shard: int, folder: Path, state: manifest.Manifest) -> manifest.Manifest:
        with indexer.opened(shard, state) as work:
            for file in folder.iterdir():
                if not file.name.startswith("."):
                    shutil.copy(file, work)
            changed = indexer.segments.stored(shard, work, state)
        changed.position = until
        return changed

    if indexer.shards.count != corpus.SHARDS:
        raise RuntimeError("the corpus is cut otherwise")
    for shard, folder in enumerate(folders):
        indexer.commit(shard, partial(write, shard, folder))


def _parts(deployment: Deployment) -> list[manifest.Part]:
    shards = range(corpus.SHARDS)
    return [part for shard in shards for part in manifest.load(deployment.bucket, shard).manifest.parts.values()]


def _fill(stack: Stack, deployment: Deployment, documents: int) -> int:
    """Writes the records of callers without a token into the table."""
    dynamodb, table = stack.client("dynamodb"), deployment.settings.images_table
    items = [to_attributes(record) for record in corpus.records("anonymous", corpus.owners(documents)["anonymous"])]
    for start in range(0, len(items), 25):
        batch = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={table: batch})
    return len(items)


def _race(deployment: Deployment, environment: Mapping[str, str], batches: int) -> tuple[int, float]:
    """Sixteen writers of one shard; how many of their records are not there afterwards, and the time of a write."""
    owner = "user:racing"
    made = list(corpus.records(owner, _RACERS * batches * 5))
    for record in made:
        deployment.dynamo.put(deployment.settings.images_table, record, Expression("attribute_not_exists(#id)"))
    shard = corpus.shard_of(owner)

    def work(number: int) -> None:
        with closing(Deployment(Settings.from_environment(environment))) as own:
            for batch in range(batches):
                start = (number * batches + batch) * 5
                own.indexer.update(shard, [record["id"] for record in made[start : start + 5]])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_RACERS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = (time.perf_counter() - started) / (_RACERS * batches)
    with deployment.indexer.opened(shard, manifest.load(deployment.bucket, shard).manifest) as folder:
        held = View(folder).fingerprints()
    return len({record["id"] for record in made} - held.keys()), seconds


def _measured(mode: str, environment: Mapping[str, str], count: int) -> Any:
    command = [sys.executable, "-m", "tests.bench.searching", mode, str(count)]
    given = {**environment, "PATH": os.environ["PATH"], "POWERTOOLS_LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, env=given, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _queries(count: int) -> list[tuple[str, str]]:
    """Two words each, neither very frequent nor very rare."""
    words = corpus.vocabulary()
    return [(words[20 + number * 3 % 400], words[50 + number * 7 % 900]) for number in range(count)]


def _main() -> None:
    """The measured process."""
    mode, count = sys.argv[1], int(sys.argv[2])
    started, spent = time.perf_counter(), time.process_time()
    from functions.search_images import handler
    from tests.bench import events

    def search(q: str) -> Any:
        answer = handler(events.SEARCH | {"queryStringParameters": {"q": q, "limit": "50"}}, events.Context())
        if answer["statusCode"] != 200:
            raise RuntimeError(f"answered {answer}")
        return json.loads(answer["body"])

    if mode == "cold":
        search(" ".join(_queries(1)[0]))
        wall, cpu = time.perf_counter() - started, time.process_time() - spent
        print("\n" + json.dumps({"wall": wall * 1000, "cpu": cpu * 1000}))
        return
    walls, cpus, ratios = [], [], []
    for first, second in [*_queries(5), *_queries(count)]:
        before, spent = time.perf_counter(), time.process_time()
        if mode == "naive":
            found = _naive(first, second)
        else:
            search(f"{first} {second}")
        cpus.append((time.process_time() - spent) * 1000)
        walls.append((time.perf_counter() - before) * 1000)
        if mode == "naive":
            before = time.perf_counter()
            images = search(f'"{first}" "{second}"')["images"]
            ratios.append(walls[-1] / (time.perf_counter() - before) / 1000)
            if not {image["id"] for image in images} <= found:
                raise RuntimeError("the two do not find the same")
    report = {
        "wall p50": median(walls[5:]),
        "cpu p50": median(cpus[5:]),
        "cpu p99": quantiles(cpus[5:], n=100)[98],
        "memory": resident_mb(),
        "ratio": median(ratios[5:] or [0.0]),
    }
    print("\n" + json.dumps(report))


def _naive(first: str, second: str) -> set[str]:
    """The ids of the caller's records whose prompts contain both words, by a filter over their partition."""
    from imagetrail.wiring import deployment

    held = deployment()
    keep = Expression("contains(#prompt, :first) AND contains(#prompt, :second)", {"first": first, "second": second})
    key = Expression("#shelf = :shelf", {"shelf": "succeeded anonymous"})
    found: set[str] = set()
    start = None
    while True:
        page = held.dynamo.query(
            held.settings.images_table,
            "idx_generated_images_shelf",
            key,
            newest_first=True,
            limit=600,  # a page of DynamoDB's is a megabyte
            start=start,
            keep=keep,
        )
        found |= {item["id"] for item in page.items}
        if (start := page.last) is None:
            return found


if __name__ == "__main__":
    _main()
