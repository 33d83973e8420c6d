"""POST /ai/datasets"""

from imagetrail.datasets import etag
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import DatasetFields
from imagetrail.wiring import deployment


@endpoint(body=DatasetFields, answers={201: "Dataset"})
def handler(request: Request) -> Response:
    """Create a brand dataset."""
    dataset = deployment().datasets.create(request.caller, request.body.model_dump())
    return Response(201, dataset, {"location": f"/ai/datasets/{dataset['id']}", "etag": etag(dataset)})
