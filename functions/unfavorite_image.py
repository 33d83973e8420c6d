"""DELETE /ai/generated-images/{image_id}/favorite"""

from imagetrail import records
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Image"}, problems=(409,))
def handler(request: Request) -> Response:
    """Take the mark of a favourite away."""
    record = deployment().images.mark(request.caller, request.path_id("image_id"), favorite=False)
    return Response(200, records.public(record, request.public_url))
