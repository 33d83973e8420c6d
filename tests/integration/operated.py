"""A stack for operators' commands alone, which look at everything there is, and what they are given of it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cli.deployments import Opened
from imagetrail.dynamo import Expression
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Item
    from local.stack import Stack

_LEFT = timedelta(seconds=20)
EXISTS = Expression("attribute_exists(#id)")


@contextmanager
def operated(stack: Stack, **environment: str) -> Iterator[Opened]:
    """The parts of a stack; `environment` changes what its functions are told."""
    settings = Settings.from_environment(stack.environment("GenerateImage") | environment)
    with closing(Deployment(settings)) as deployment:
        yield Opened(deployment, stack.client)


def generate(parts: Opened, caller: Caller, **fields: Any) -> Item:
    """A finished record with its pixels, as the table holds it."""
    request = GenerateRequest.model_validate({"prompt": "a quiet harbour", "format": "jpg", **fields})
    record, _ = parts.deployment.generation.generate(caller, request, _LEFT)
    return held(parts, record["id"])


def held(parts: Opened, image_id: str) -> Item:
    """The item of the table; empty if there is none."""
    return parts.deployment.dynamo.get(parts.deployment.settings.images_table, image_id, consistent=True) or {}


def lose(parts: Opened, image_id: str) -> None:
    """The record, but not the pixels."""
    parts.deployment.dynamo.delete(parts.deployment.settings.images_table, image_id, EXISTS)
