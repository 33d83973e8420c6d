"""PATCH /ai/datasets/{dataset_id}"""

from imagetrail.datasets import etag
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import DatasetChanges
from imagetrail.wiring import deployment


@endpoint(body=DatasetChanges, answers={200: "Dataset"}, problems=(409,), conditional=True)
def handler(request: Request) -> Response:
    """Change some fields of a dataset; its version grows. Null clears a brand or a vibe."""
    changes = request.body.model_dump(exclude_unset=True)
    dataset_id = request.path_id("dataset_id")
    dataset = deployment().datasets.update(request.caller, dataset_id, changes, request.if_match)
    return Response(200, dataset, {"etag": etag(dataset)})
