"""On the images table's stream: what changed, into the search index"""

from typing import Any

from imagetrail.wiring import deployment


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One batch of changes; answers those that have to be sent again."""
    from imagetrail.search.stream import index

    return index(deployment().indexer, event["Records"])
