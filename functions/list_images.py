"""GET /ai/generated-images"""

from imagetrail.endpoints import endpoint
from imagetrail.history import HistoryQuery
from imagetrail.http import Request, Response
from imagetrail.queries import LIST_IMAGES
from imagetrail.wiring import deployment


@endpoint(query=LIST_IMAGES, answers={200: "ImagePage"})
def handler(request: Request) -> Response:
    """The caller's history, newest first: `from` is included, `to` is not."""
    query = HistoryQuery(**request.filters)
    return Response(200, deployment().history.page(request.caller, query, request.public_url))
