"""GET /ai/usage"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Usage"})
def handler(request: Request) -> Response:
    """What the caller may still generate today; an admin also sees the deployment's budget of the month."""
    return Response(200, deployment().usage.of(request.caller, request.origin))
