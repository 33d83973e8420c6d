"""DELETE /ai/datasets/{dataset_id}/reference-images/{reference_id}"""

from imagetrail.datasets import etag
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Dataset"})
def handler(request: Request) -> Response:
    """Remove a reference image from a dataset. Images that were made with it keep its hash."""
    ids = request.path_id("dataset_id"), request.path_id("reference_id")
    dataset = deployment().references.delete(request.caller, *ids)
    return Response(200, dataset, {"etag": etag(dataset)})
