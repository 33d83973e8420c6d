"""GET /ai/generated-images/{image_id}"""

from imagetrail import wiring
from imagetrail.http import Request, Response


@wiring.endpoint(answers={200: "Image"})
def handler(request: Request) -> Response:
    """One record of the history."""
    image_id = request.path_id("image_id")
    return Response(200, wiring.history().get(request.caller, image_id, request.public_url))
