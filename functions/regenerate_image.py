"""POST /ai/generated-images/{image_id}/regenerate"""

from imagetrail.answering import ANSWERS, PROBLEMS, answer
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import RegenerateRequest
from imagetrail.wiring import deployment


@endpoint(body=RegenerateRequest, answers=ANSWERS, problems=PROBLEMS, submits=True)
def handler(request: Request) -> Response:
    """Generate an image as this one was, with some things otherwise."""
    outcome = deployment().regeneration.submit(
        request.caller,
        request.path_id("image_id"),
        request.body,
        request.origin,
        time_left=request.time_left,
        preferences=request.preferences,
        key=request.idempotency_key,
    )
    return answer(outcome, request.public_url)
