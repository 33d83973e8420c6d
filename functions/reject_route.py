"""Every path and method that no route takes"""

from imagetrail import openapi_document
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response


@endpoint(answers={}, public=True)
def handler(request: Request) -> Response:
    """404, or 405 with the methods that the path does take."""
    raise openapi_document.rejection(request.method, request.path)
