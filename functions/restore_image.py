"""POST /ai/generated-images/{image_id}/restore"""

from imagetrail import records
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Image"}, problems=(409,))
def handler(request: Request) -> Response:
    """Bring an image back out of the trash."""
    record = deployment().trash.restore(request.caller, request.path_id("image_id"))
    return Response(200, records.public(record, request.public_url))
