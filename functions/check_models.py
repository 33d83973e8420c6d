"""On a schedule: a warning for models that Bedrock is about to retire"""

from typing import Any

from imagetrail import telemetry
from imagetrail.wiring import deployment


def handler(_event: dict[str, Any], _context: Any) -> dict[str, str]:
    """One look at Bedrock's list. Fails, for the alarm to see, when a model in use is about to go, or gone."""
    ending = deployment().ending_models()
    telemetry.count(EndingModels=len(ending))
    if ending:
        telemetry.logger.warning("models end", extra={"models": ending})
        raise RuntimeError(f"{len(ending)} models in use are about to go: choose others in Model or VisionModel")
    return ending
