"""POST /ai/users/erase"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import EraseUserRequest
from imagetrail.wiring import deployment


@endpoint(body=EraseUserRequest, answers={202: "Job"}, problems=(403,))
def handler(request: Request) -> Response:
    """Erase a user with any id, as an admin. The job ends with a receipt, which says whether anything was found."""
    job = deployment().erasing.user_by_admin(request.caller, request.body.user_id)
    return Response(202, job, {"location": f"/ai/jobs/{job['id']}", "retry-after": "5"})
