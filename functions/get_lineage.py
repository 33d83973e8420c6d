"""GET /ai/generated-images/{image_id}/lineage"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Lineage"})
def handler(request: Request) -> Response:
    """The family of an image as a tree: what it was made from, and what was made from it."""
    return Response(200, deployment().lineage.of(request.caller, request.path_id("image_id"), request.public_url))
