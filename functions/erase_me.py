"""DELETE /ai/users/me"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment


@endpoint(answers={202: "Job"})
def handler(request: Request) -> Response:
    """Erase yourself: images, records, datasets, everything. The job ends with a receipt."""
    job = deployment().erasing.me(request.caller)
    return Response(202, job, {"location": f"/ai/jobs/{job['id']}", "retry-after": "5"})
