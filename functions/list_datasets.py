"""GET /ai/datasets"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.queries import LIST_DATASETS
from imagetrail.wiring import deployment


@endpoint(query=LIST_DATASETS, answers={200: "DatasetPage"})
def handler(request: Request) -> Response:
    """The caller's own datasets, newest first, or with `visibility=public` everybody's public ones."""
    return Response(200, deployment().datasets.page(request.caller, **request.query))
