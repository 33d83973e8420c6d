"""The least that Python needs: a request signed by hand over http.client, and orjson."""

import hashlib
import hmac
import http.client
import os
import ssl
import time
from typing import Any

import orjson

from tests.bench.peers.contract import COLUMNS, INDEX, OWNER, SHELF, cursor

scheme, _, host = os.environ["AWS_ENDPOINT_URL"].partition("://")
connection = (
    http.client.HTTPSConnection(host, context=ssl.create_default_context())
    if scheme == "https"
    else http.client.HTTPConnection(host)
)


def list_images(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The caller's history, newest first."""
    limit = int(event.get("queryStringParameters", {}).get("limit", "50"))
    request = {
        "TableName": os.environ["IMAGES_TABLE"],
        "IndexName": INDEX,
        "KeyConditionExpression": "shelf = :shelf",
        "ExpressionAttributeValues": {":shelf": {"S": SHELF}},
        "ScanIndexForward": False,
        "Limit": limit,
    }
    found = _call("Query", request)
    last = found.get("LastEvaluatedKey")
    page = {
        "images": [_image(item, event["stageVariables"]["PublicUrl"]) for item in found["Items"]],
        "count": found["Count"],
        "offset": 0,
        "limit": limit,
        "next_cursor": cursor(last["created_at"]["S"], last["id"]["S"]) if last else None,
    }
    return _answer(200, page)


def get_image(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One record."""
    request = {"TableName": os.environ["IMAGES_TABLE"], "Key": {"id": {"S": event["pathParameters"]["image_id"]}}}
    item = _call("GetItem", request).get("Item")
    if item is None or item["owner"]["S"] != OWNER:
        return _answer(404, {"detail": "No image of yours has this id."})
    return _answer(200, _image(item, event["stageVariables"]["PublicUrl"]))


def _call(operation: str, payload: dict[str, Any]) -> Any:
    body = orjson.dumps(payload)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    sent = {
        "content-type": "application/x-amz-json-1.0",
        "host": host,
        "x-amz-date": now,
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
        "x-amz-target": f"DynamoDB_20120810.{operation}",
    }
    names = ";".join(sent)
    lines = "".join(f"{name}:{value}\n" for name, value in sent.items())
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{os.environ['AWS_REGION']}/dynamodb/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={key.hex()}"
    )
    connection.request("POST", "/", body, sent)
    return orjson.loads(connection.getresponse().read())


def _image(item: dict[str, Any], public_url: str) -> dict[str, Any]:
    image: dict[str, Any] = {column: _value(item[column]) if column in item else None for column in COLUMNS}
    image["favorite"] = bool(image["favorite"])
    for column in ("image_url", "thumbnail_url"):
        if image[column]:
            image[column] = public_url + image[column]
    return image


def _value(tagged: dict[str, Any]) -> Any:
    ((tag, value),) = tagged.items()
    if tag == "N":
        return float(value) if "." in value else int(value)
    if tag == "L":
        return [_value(member) for member in value]
    return {name: _value(member) for name, member in value.items()} if tag == "M" else value


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    print(orjson.dumps({"message": "answered", "status": status}).decode())
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": orjson.dumps(body).decode()}
