"""DELETE /ai/generated-images/{image_id}"""

from imagetrail import records
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Image"}, problems=(409,))
def handler(request: Request) -> Response:
    """Throw an image away; it can be restored for thirty days."""
    record = deployment().trash.throw(request.caller, request.path_id("image_id"))
    return Response(200, records.public(record, request.public_url))
