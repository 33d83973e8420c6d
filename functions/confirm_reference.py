"""On an upload: judges a reference image"""

from typing import Any

from imagetrail import telemetry
from imagetrail.wiring import deployment


def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """S3's event of one new object, through EventBridge. Fails, to be repeated, when AWS is away."""
    outcome = deployment().references.confirm(event["detail"]["object"]["key"])
    telemetry.logger.info("reference", extra={"outcome": outcome})
    return {"outcome": outcome}
