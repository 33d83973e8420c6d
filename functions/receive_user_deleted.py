"""POST /ai/webhooks/user-deleted"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import UserDeleted
from imagetrail.wiring import deployment


@endpoint(body=UserDeleted, answers={202: "Job"}, problems=(401, 404), public=True)
def handler(request: Request) -> Response:
    """Erase a user whose account is gone, as the issuer of the tokens tells by a signed webhook (Standard Webhooks)."""
    deployment().webhooks.verify(request.event["headers"], request.raw_body)
    return Response(202, deployment().erasing.gone(request.body.data.id))
