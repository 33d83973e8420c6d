"""DELETE /ai/datasets/{dataset_id}"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={202: "Job"})
def handler(request: Request) -> Response:
    """Delete a dataset with its reference images. The images made with it stay, their `dataset_id` becomes null."""
    job = deployment().erasing.dataset(request.caller, request.path_id("dataset_id"))
    return Response(202, job, {"location": f"/ai/jobs/{job['id']}", "retry-after": "5"})
