"""GET /ai/datasets/{dataset_id}"""

from imagetrail import wiring
from imagetrail.http import Request, Response


@wiring.endpoint(answers={200: "Dataset"})
def handler(request: Request) -> Response:
    """One dataset."""
    return Response(200, wiring.datasets().get(request.caller, request.path_id("dataset_id")))
