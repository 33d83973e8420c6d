"""POST /ai/datasets"""

from imagetrail import wiring
from imagetrail.http import Request, Response
from imagetrail.schemas import DatasetFields


@wiring.endpoint(body=DatasetFields, answers={201: "Dataset"})
def handler(request: Request) -> Response:
    """Create a brand dataset."""
    dataset = wiring.datasets().create(request.caller, request.body.model_dump())
    return Response(201, dataset, {"location": f"/ai/datasets/{dataset['id']}"})
