"""On an event: erases a user whose account in the user pool was deleted"""

from typing import Any

from imagetrail.wiring import deployment


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Starts the erasure of a user of this deployment's own pool, and of one whose pool is not told: ids never meet."""
    detail = event["detail"]
    told = {**detail["additionalEventData"], **(detail.get("requestParameters") or {})}
    own = deployment().settings.user_pool_id
    if told.get("userPoolId", own) != own:
        return {}
    return deployment().erasing.gone(told["sub"])
