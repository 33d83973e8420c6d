"""On a schedule: the days whose records have changed, made anew for reports and for the lake"""

from dataclasses import asdict
from typing import Any

from imagetrail import telemetry
from imagetrail.wiring import deployment


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One run; with `from` or `to` in the event every day between, too. Fails for the alarm to see when a day does."""
    folded = deployment().fold.run(event.get("from"), event.get("to"))
    telemetry.logger.info("folded", extra={"folded": asdict(folded)})
    telemetry.count(Folded=len(folded.days), Skipped=len(folded.skipped))
    if folded.failed:
        raise RuntimeError(f"{len(folded.failed)} days cannot be folded")
    return asdict(folded)
