"""The usual handler: Powertools' resolver with validation, Logger, Metrics, pydantic and boto3's Table."""

import os
from typing import Annotated, Any
from uuid import UUID

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.metrics import MetricUnit
from boto3.dynamodb.conditions import Key

from tests.bench.peers.contract import INDEX, OWNER, SHELF, cursor
from tests.bench.peers.shapes import Image, ImagePage, image

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(enable_validation=True)
table = boto3.resource("dynamodb").Table(os.environ["IMAGES_TABLE"])


@app.get("/ai/generated-images")
def list_page(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> ImagePage:
    """The caller's history, newest first."""
    found = table.query(
        IndexName=INDEX, KeyConditionExpression=Key("shelf").eq(SHELF), ScanIndexForward=False, Limit=limit
    )
    last = found.get("LastEvaluatedKey")
    metrics.add_metric(name="ImagesListed", unit=MetricUnit.Count, value=found["Count"])
    logger.info("listed", extra={"count": found["Count"]})
    return ImagePage(
        images=[image(item, app.current_event.stage_variables["PublicUrl"]) for item in found["Items"]],
        count=found["Count"],
        offset=0,
        limit=limit,
        next_cursor=cursor(last["created_at"], last["id"]) if last else None,
    )


@app.get("/ai/generated-images/<image_id>")
def get_one(image_id: Annotated[UUID, Path()]) -> Image:
    """One record."""
    item = table.get_item(Key={"id": str(image_id)}).get("Item")
    if item is None or item["owner"] != OWNER:
        raise NotFoundError("No image of yours has this id.")
    metrics.add_metric(name="ImagesRead", unit=MetricUnit.Count, value=1)
    logger.info("read")
    return image(item, app.current_event.stage_variables["PublicUrl"])


@logger.inject_lambda_context
@metrics.log_metrics
def list_images(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One function for all routes."""
    return app.resolve(event, context)


get_image = list_images
