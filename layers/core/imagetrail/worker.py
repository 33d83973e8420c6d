"""The end of the queue: generations that were begun by another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail import moments, telemetry
from imagetrail.aws import AwsError
from imagetrail.errors import ImagetrailError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from imagetrail.dynamo import Item
    from imagetrail.generation import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Finishes queued generations, each once, however often its message comes."""

    generation: Generation
    count: Callable[..., None] = telemetry.count_image
    now: Callable[[], datetime] = moments.utc_now

    def run(self, messages: Mapping[str, str], time_left: timedelta) -> list[str]:
        """`messages` are image ids by message id; those that have to come again are returned.

        What has been claimed never comes again: a model that was asked is not asked twice. If this process dies, the
        sweep settles the record.
        """
        until = self.now() + time_left
        undone: list[str] = []
        for message_id, image_id in messages.items():
            try:
                pending = self.generation.claim(image_id, until - self.now())
            except (Unavailable, AwsError):
                undone.append(message_id)
                continue
            if pending is not None:
                self._finish(image_id, pending, until - self.now())
        return undone

    def _finish(self, image_id: str, pending: Item, time_left: timedelta) -> None:
        code = None
        try:
            record = self.generation.finish(pending, time_left)
            self.count(generation_ms=record["generation_ms"], cost_usd=record["cost_usd"])
        except ImagetrailError as error:
            code = error.code
        except Exception as error:
            telemetry.log_defect(error, image_id)
            code = ImagetrailError.code
        telemetry.logger.info("worked", extra={"image_id": image_id, "code": code})
