"""What a request for an image is answered, once its outcome is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagetrail import telemetry
from imagetrail.allowances import rate_limit_headers
from imagetrail.http import Response
from imagetrail.moments import utc_now
from imagetrail.records import public
from imagetrail.submission import REPLAYED

if TYPE_CHECKING:
    from imagetrail.submission import Outcome

ANSWERS = {201: "GeneratedImage", 202: "GeneratedImage"}
PROBLEMS = (409, 429)
RETRY_AFTER = "2"


def answer(outcome: Outcome, public_url: str) -> Response:
    """201 with the finished record, or 202 with the pending one and where to look for it."""
    if outcome.is_made_here:
        telemetry.count_image(generation_ms=outcome.record["generation_ms"], cost_usd=outcome.record["cost_usd"])
    image = public(outcome.record, public_url)
    image |= {"caption": image["prompt"], "prompt_used": image["full_prompt"]}
    headers = {"location": f"/ai/generated-images/{image['id']}", **rate_limit_headers(outcome.balances, utc_now())}
    if outcome.applied:
        headers["preference-applied"] = outcome.applied
    if outcome.is_replay:
        headers |= REPLAYED
    if image["status"] == "pending":
        return Response(202, image, {**headers, "retry-after": RETRY_AFTER})
    return Response(201, image, headers)
