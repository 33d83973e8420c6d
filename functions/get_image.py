"""GET /ai/generated-images/{image_id}"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Image"})
def handler(request: Request) -> Response:
    """One record of the history."""
    image_id = request.path_id("image_id")
    return Response(200, deployment().history.get(request.caller, image_id, request.public_url))
