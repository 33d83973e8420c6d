"""No framework: boto3's client, its TypeDeserializer, and json."""

import json
import os
from decimal import Decimal
from typing import Any
from uuid import UUID

import boto3
from boto3.dynamodb.types import TypeDeserializer

from tests.bench.peers.contract import COLUMNS, INDEX, OWNER, SHELF, cursor

dynamodb = boto3.client("dynamodb")
deserialize = TypeDeserializer().deserialize


def list_images(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The caller's history, newest first."""
    limit = int(event.get("queryStringParameters", {}).get("limit", "50"))
    if not 1 <= limit <= 200:
        return _answer(422, {"detail": "limit must be from 1 to 200"})
    found = dynamodb.query(
        TableName=os.environ["IMAGES_TABLE"],
        IndexName=INDEX,
        KeyConditionExpression="shelf = :shelf",
        ExpressionAttributeValues={":shelf": {"S": SHELF}},
        ScanIndexForward=False,
        Limit=limit,
    )
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
    image_id = str(UUID(event["pathParameters"]["image_id"]))
    item = dynamodb.get_item(TableName=os.environ["IMAGES_TABLE"], Key={"id": {"S": image_id}}).get("Item")
    if item is None or item["owner"]["S"] != OWNER:
        return _answer(404, {"detail": "No image of yours has this id."})
    return _answer(200, _image(item, event["stageVariables"]["PublicUrl"]))


def _image(item: dict[str, Any], public_url: str) -> dict[str, Any]:
    values = {name: deserialize(value) for name, value in item.items()}
    image: dict[str, Any] = {column: values.get(column) for column in COLUMNS}
    image["favorite"] = bool(image["favorite"])
    for column in ("image_url", "thumbnail_url"):
        if image[column]:
            image[column] = public_url + image[column]
    return image


def _number(value: Any) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps({"message": "answered", "status": status}))
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body, default=_number)}
