"""A stub with a day of records: as many as the day's name says, page after page of a megabyte.

Runs as its own process, like `tests.bench.stub`. Every record is another one, of ten a user; words come as often as
they do in prose.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

import orjson

from imagetrail.dynamo import to_attributes
from imagetrail.records import index_keys
from tests.bench.items import records
from tests.bench.stub import Connection, rendered, serve
from tests.bench.trail_day import count_of

PAGE = 560
_KINDS = 2_000
_WORDS = 20_000
_OF_S3 = rendered(b"<Result><UploadId>upload</UploadId></Result>").replace(b"Server: Server", b'ETag: "etag"')
_EMPTY_PAGE = rendered({"Items": [], "Count": 0, "ScannedCount": 0})
_fold: dict[str, Any] = {}


def _templates() -> list[bytes]:
    """Records in DynamoDB's JSON, with places for what differs from one to the next."""
    chance = random.Random(9)  # noqa: S311 (the same in every run)
    words, weights = [f"word{n}" for n in range(_WORDS)], [1 / (n + 1) for n in range(_WORDS)]
    rendered_records = []
    for number, template in zip(range(_KINDS), _endless(records()), strict=False):
        record = {**template, "id": "!ID", "user_id": "!USER", "created_at": "!AT"}
        record["prompt"] = " ".join(chance.choices(words, weights, k=25))
        record["generation_ms"] = int(chance.lognormvariate(8, 0.6))
        record["favorite"] = number % 7 == 0
        rendered_records.append(orjson.dumps(to_attributes(record | index_keys(record))))
    return rendered_records


def _endless(items: list[dict[str, Any]]) -> Any:
    while True:
        yield from items


_TEMPLATES = _templates()


def _page(request: dict[str, Any]) -> bytes:
    day = request["ExpressionAttributeValues"][":day"]["S"]
    count = count_of(day)
    first = int(request.get("ExclusiveStartKey", {}).get("id", {"S": "0"})["S"].rpartition("-")[2])
    last = min(first + PAGE, count)
    items = []
    for number in range(first, last):
        at = f"{day}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number % 1_000_000:06}Z"
        record = _TEMPLATES[number % _KINDS].replace(b"!ID", b"019c2163-8a00-7000-8000-%012d" % number)
        items.append(
            record.replace(b"!AT", at.encode()).replace(b"!USER", b"user-%09d" % (number * 7919 % count // 10))
        )
    tail = b""
    if last < count:
        tail = b',"LastEvaluatedKey":{"id":{"S":"019c2163-8a00-7000-8000-%012d"}}' % last
    counts = b'"Count":%d,"ScannedCount":%d' % (len(items), len(items))
    return rendered(b'{"Items":[' + b",".join(items) + b"]," + counts + tail + b"}")


def answer(target: bytes, body: bytes) -> bytes:
    """The whole answer of one operation: the reports table remembers whose turn it is, and forgets all else."""
    request = orjson.loads(body) if target else {}
    match target.rpartition(b".")[2]:
        case b"":
            return _OF_S3
        case b"Query":
            return _page(request) if request.get("IndexName", "").startswith("idx_gen") else _EMPTY_PAGE
        case b"UpdateItem" if ":generation" in request["ExpressionAttributeValues"]:
            turn = request["ExpressionAttributeValues"][":generation"]["S"]
            _fold.update(turn={"S": turn}, generations={"SS": [turn]})
        case b"GetItem":
            return rendered({"Item": _fold})
    return rendered({})


class TrailConnection(Connection):
    """One kept-alive connection."""

    answer = staticmethod(answer)


if __name__ == "__main__":
    asyncio.run(serve(TrailConnection, sys.argv[1]))
