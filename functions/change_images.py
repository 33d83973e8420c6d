"""POST /ai/generated-images/batch"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import BatchRequest
from imagetrail.wiring import deployment


@endpoint(body=BatchRequest, answers={200: "BatchResult", 202: "Job"})
def handler(request: Request) -> Response:
    """Delete, restore, mark or unmark many images: those with these ids at once, all that a filter finds as a job."""
    batch = deployment().batch
    if request.body.ids is not None:
        return Response(200, batch.on_ids(request.caller, request.body, request.time_left))
    job = batch.on_filter(request.caller, request.body)
    return Response(202, job, {"location": f"/ai/jobs/{job['id']}", "retry-after": "2"})
