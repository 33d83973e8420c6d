"""From the queue: images whose callers did not want to wait, or could not"""

from datetime import timedelta
from typing import Any

from imagetrail.wiring import deployment


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Finishes what each message names. Those that could not even be looked at are given back to the queue."""
    time_left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    undone = deployment().worker.run({message["messageId"]: message["body"] for message in event["Records"]}, time_left)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in undone]}
