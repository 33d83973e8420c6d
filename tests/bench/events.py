"""The requests that are measured, as API Gateway hands them over (payload 2.0)."""

from typing import Any

IMAGE_ID = "019c2163-8a00-7000-8000-000000000000"


def _event(method: str, route: str, path: str) -> dict[str, Any]:
    host = "images.example.com"
    return {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate, br",
            "host": host,
            "user-agent": "bench",
            "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "stageVariables": {"PublicUrl": f"https://{host}"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": host,
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "bench",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": f"{method} {route}",
            "stage": "$default",
            "time": "02/Feb/2026:10:30:00 +0000",
            "timeEpoch": 1770028200000,
        },
        "isBase64Encoded": False,
    }


LIST: dict[str, Any] = {
    **_event("GET", "/ai/generated-images", "/ai/generated-images"),
    "rawQueryString": "limit=50",
    "queryStringParameters": {"limit": "50"},
}
GET: dict[str, Any] = {
    **_event("GET", "/ai/generated-images/{image_id}", f"/ai/generated-images/{IMAGE_ID}"),
    "pathParameters": {"image_id": IMAGE_ID},
}
SEARCH: dict[str, Any] = _event("GET", "/ai/generated-images/search", "/ai/generated-images/search")
GENERATE: dict[str, Any] = {
    **_event("POST", "/ai/generate", "/ai/generate"),
    "body": '{"prompt": "A lighthouse on a cliff at dusk, a storm coming in over the sea, oil on canvas", "seed": 7}',
}


class Context:
    """What Lambda tells of an invocation."""

    function_name = "bench"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    memory_limit_in_mb = 512
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000
