"""On an event: erases a user whose account in the user pool was deleted"""

from typing import Any

from imagetrail.wiring import deployment


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Starts the erasure of a user of this deployment's own pool; those of other pools are no business of ours."""
    detail = event["detail"]
    told = {**detail["additionalEventData"], **(detail.get("requestParameters") or {})}
    if told.get("userPoolId") != deployment().settings.user_pool_id:
        return {}
    return deployment().erasing.gone(told["sub"])
