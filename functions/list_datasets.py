"""GET /ai/datasets"""

from imagetrail import wiring
from imagetrail.http import Request, Response
from imagetrail.queries import LIST_DATASETS


@wiring.endpoint(query=LIST_DATASETS, answers={200: "DatasetPage"})
def handler(request: Request) -> Response:
    """The caller's own datasets, newest first, or with `visibility=public` everybody's public ones."""
    return Response(200, wiring.datasets().page(request.caller, **request.query))
