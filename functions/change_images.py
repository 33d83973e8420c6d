"""POST /ai/generated-images/batch"""

from imagetrail.http import Request, Response
from imagetrail.schemas import BatchRequest
from imagetrail.wiring import deployment, endpoint


@endpoint(body=BatchRequest, answers={200: "BatchResult"})
def handler(request: Request) -> Response:
    """Delete, restore, mark or unmark many images: those with these ids, or all that a filter finds."""
    return Response(200, deployment().batch.run(request.caller, request.body, request.time_left))
