"""On a schedule: works the jobs that are due; one that has just been started asks for it too"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from imagetrail import telemetry
from imagetrail.wiring import deployment


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One run. Fails, for the alarm to see, when a job has failed; all others go on."""
    left = timedelta(milliseconds=context.get_remaining_time_in_millis()) - timedelta(seconds=60)
    run = deployment().runner.run(left, event.get("job_id"))
    telemetry.logger.info("ran jobs", extra={"run": asdict(run)})
    if run.failed:
        raise RuntimeError(f"{len(run.failed)} jobs failed")
    return asdict(run)
