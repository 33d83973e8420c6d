"""POST /ai/generate"""

from imagetrail.answering import ANSWERS, PROBLEMS, answer
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import GenerateRequest
from imagetrail.wiring import deployment


@endpoint(body=GenerateRequest, answers=ANSWERS, problems=PROBLEMS, submits=True)
def handler(request: Request) -> Response:
    """Generate one image and track it."""
    outcome = deployment().submission.submit(
        request.caller,
        request.body,
        request.origin,
        time_left=request.time_left,
        preferences=request.preferences,
        key=request.idempotency_key,
    )
    return answer(outcome, request.public_url)
