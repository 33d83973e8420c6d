"""DELETE /ai/users/{user_id}"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.queries import USER_ID
from imagetrail.wiring import deployment


@endpoint(answers={202: "Job"})
def handler(request: Request) -> Response:
    """Erase a user with a simple id, as an admin. The job ends with a receipt."""
    job = deployment().erasing.user(request.caller, request.path_value(USER_ID))
    return Response(202, job, {"location": f"/ai/jobs/{job['id']}", "retry-after": "5"})
