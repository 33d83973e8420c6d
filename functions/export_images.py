"""GET /ai/generated-images/export"""

from imagetrail.endpoints import endpoint
from imagetrail.exporting import Order
from imagetrail.http import Request, Response
from imagetrail.queries import EXPORT_IMAGES
from imagetrail.wiring import deployment


@endpoint(query=EXPORT_IMAGES, answers={200: "text/csv application/x-ndjson application/zip", 202: "Job"})
def handler(request: Request) -> Response:
    """Take the history away as CSV, JSON lines, or pictures with a CSV in a ZIP. A large one becomes a job."""
    order, prefers_later = Order.of(request), request.preferences.respond_async
    later = prefers_later or "async" in request.query
    made = deployment().exporting.export(order, later=later, start=request.method != "HEAD")
    if isinstance(made, bytes):
        return Response(200, made, order.headers, is_file=True)
    headers = {"retry-after": "2"} | ({"preference-applied": "respond-async"} if prefers_later else {})
    return Response(202, made or {}, headers | ({"location": f"/ai/jobs/{made['id']}"} if made else {}))
