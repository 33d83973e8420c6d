"""GET /ai/models"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.models import offers
from imagetrail.wiring import deployment


@endpoint(answers={200: "ModelPage"})
def handler(_request: Request) -> Response:
    """The image models that this deployment offers, with what they can do and what an image costs."""
    return Response(200, {"models": offers.described(deployment().catalog)})
