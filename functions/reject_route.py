"""Every path and method that no route takes"""

from imagetrail import openapi_document
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(query=None, answers={}, public=True)
def handler(request: Request) -> Response:
    """404, or 405 with the methods that the path does take. With CORS, the $default route gets preflights too."""
    if request.is_preflight and deployment().settings.allowed_origins:
        return Response(204, b"")  # API Gateway adds the headers
    raise openapi_document.rejection(request.method, request.path)
