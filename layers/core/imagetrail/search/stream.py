"""The images table's stream as work for the indexer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagetrail import moments, telemetry
from imagetrail.errors import Unavailable
from imagetrail.search.indexing import TooBusyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imagetrail.search.indexing import Indexer


def index(indexer: Indexer, events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Indexes the records that a batch of stream events names; answers what has to be sent again, from the first on."""
    shards: dict[int, list[Mapping[str, Any]]] = {}
    for event in events:
        change = event["dynamodb"]
        image = change.get("NewImage") or change["OldImage"]
        shards.setdefault(indexer.shards.of(image["owner"]["S"]), []).append(change)
    failed: list[str] = []
    conflicts = 0
    for shard, changes in shards.items():
        ids = dict.fromkeys(change["Keys"]["id"]["S"] for change in changes)
        try:
            conflicts += indexer.update(shard, list(ids), max(_moment(change) for change in changes))
        except (Unavailable, TooBusyError) as error:
            telemetry.logger.error("not indexed", extra={"shard": shard, "type": type(error).__name__})
            failed += [change["SequenceNumber"] for change in changes]
    telemetry.logger.info("indexed", extra={"shards": len(shards), "conflicts": conflicts, "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _moment(change: Mapping[str, Any]) -> str:
    return moments.to_text(datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC))
