"""POST /ai/generate"""

from imagetrail import records, telemetry
from imagetrail.allowances import rate_limit_headers
from imagetrail.http import Request, Response
from imagetrail.moments import utc_now
from imagetrail.schemas import GenerateRequest
from imagetrail.wiring import deployment, endpoint


@endpoint(body=GenerateRequest, answers={201: "GeneratedImage"}, problems=(429,))
def handler(request: Request) -> Response:
    """Generate one image and track it."""
    record, balances = deployment().generation.generate(request.caller, request.body, request.time_left, request.origin)
    telemetry.count(ImagesGenerated=1, ModelMs=record["generation_ms"], CostUsd=record["cost_usd"])
    image = records.public(record, request.public_url)
    image |= {"caption": image["prompt"], "prompt_used": image["full_prompt"]}
    headers = {"location": f"/ai/generated-images/{image['id']}", **rate_limit_headers(balances, utc_now())}
    return Response(201, image, headers)
