"""FastAPI behind Mangum, with pydantic and boto3's Table."""

import json
import os
from typing import Annotated
from uuid import UUID

import boto3
from boto3.dynamodb.conditions import Key
from fastapi import FastAPI, HTTPException, Query, Request
from mangum import Mangum

from tests.bench.peers.contract import INDEX, OWNER, SHELF, cursor
from tests.bench.peers.shapes import Image, ImagePage, image

app = FastAPI()
table = boto3.resource("dynamodb").Table(os.environ["IMAGES_TABLE"])


@app.get("/ai/generated-images")
async def list_page(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> ImagePage:
    """The caller's history, newest first."""
    found = table.query(
        IndexName=INDEX, KeyConditionExpression=Key("shelf").eq(SHELF), ScanIndexForward=False, Limit=limit
    )
    last = found.get("LastEvaluatedKey")
    print(json.dumps({"message": "listed", "count": found["Count"]}))
    return ImagePage(
        images=[image(item, _public_url(request)) for item in found["Items"]],
        count=found["Count"],
        offset=0,
        limit=limit,
        next_cursor=cursor(last["created_at"], last["id"]) if last else None,
    )


@app.get("/ai/generated-images/{image_id}")
async def get_one(request: Request, image_id: UUID) -> Image:
    """One record."""
    item = table.get_item(Key={"id": str(image_id)}).get("Item")
    if item is None or item["owner"] != OWNER:
        raise HTTPException(404, "No image of yours has this id.")
    print(json.dumps({"message": "read"}))
    return image(item, _public_url(request))


def _public_url(request: Request) -> str:
    return str(request.scope["aws.event"]["stageVariables"]["PublicUrl"])


list_images = get_image = Mangum(app, lifespan="off")
