"""GET /ai/jobs/{job_id}"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={200: "Job"})
def handler(request: Request) -> Response:
    """Get a job that you started: how far it is, and at the end its receipt."""
    job = deployment().jobs.get(request.caller, request.path_id("job_id"))
    return Response(200, deployment().exporting.shown(job))
