"""On a schedule: pixels follow their records into the trash and out of it, and for good after thirty days"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from imagetrail import telemetry
from imagetrail.wiring import deployment


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One run. Fails, for the alarm to see, when something cannot be done; all else is."""
    time_left = timedelta(milliseconds=context.get_remaining_time_in_millis()) * 0.8
    done = asdict(deployment().emptying.run(time_left))
    telemetry.logger.info("emptied", extra={"tally": done})
    if done["poisoned"]:
        raise RuntimeError(f"{len(done['poisoned'])} steps cannot be taken")
    return done
