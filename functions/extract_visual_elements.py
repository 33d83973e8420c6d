"""POST /ai/datasets/{dataset_id}/visual-elements"""

from imagetrail.datasets import etag
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Dataset"}, problems=(409,), conditional=True)
def handler(request: Request) -> Response:
    """Let the deployment's vision model name the visual elements that it sees in the reference images."""
    dataset_id, seconds = request.path_id("dataset_id"), request.time_left.total_seconds()
    dataset = deployment().extraction.extract(request.caller, dataset_id, seconds, request.if_match)
    return Response(200, dataset, {"etag": etag(dataset)})
