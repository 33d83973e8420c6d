"""GET /ai/openapi.json"""

from imagetrail import openapi_document
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response


@endpoint(answers={200: "OpenApi"}, public=True)
def handler(_request: Request) -> Response:
    """The OpenAPI 3.1 document of this API."""
    return Response(200, openapi_document.text(), {"cache-control": "public, max-age=300"})
