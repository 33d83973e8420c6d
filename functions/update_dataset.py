"""PATCH /ai/datasets/{dataset_id}"""

from imagetrail.http import Request, Response
from imagetrail.schemas import DatasetChanges
from imagetrail.wiring import deployment, endpoint


@endpoint(body=DatasetChanges, answers={200: "Dataset"}, problems=(403, 409))
def handler(request: Request) -> Response:
    """Change some fields of a dataset; its version grows. Null clears a brand or a vibe."""
    changes = request.body.model_dump(exclude_unset=True)
    return Response(200, deployment().datasets.update(request.caller, request.path_id("dataset_id"), changes))
