"""On a schedule: final statuses for generations that a killed process left pending"""

from dataclasses import asdict
from typing import Any

from imagetrail import telemetry
from imagetrail.wiring import deployment


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One sweep. Fails, for the alarm to see, when a record cannot be settled; all others are."""
    tally = deployment().sweep.run()
    telemetry.logger.info("swept", extra={"tally": asdict(tally)})
    telemetry.count(Salvaged=tally.succeeded, Interrupted=tally.failed)
    if tally.poisoned:
        raise RuntimeError(f"{len(tally.poisoned)} records cannot be settled")
    return asdict(tally)
