"""On every change of a record: its day has to be folded again"""

from typing import Any

from imagetrail.wiring import deployment


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """A batch of the images table's stream."""
    return {"days": deployment().fold.touch(event)}
