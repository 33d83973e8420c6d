"""GET /ai/datasets/{dataset_id}"""

from imagetrail.datasets import etag
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Dataset"})
def handler(request: Request) -> Response:
    """One dataset."""
    dataset = deployment().datasets.get(request.caller, request.path_id("dataset_id"))
    return Response(200, dataset, {"etag": etag(dataset)})
