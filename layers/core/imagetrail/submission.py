"""A request for an image on its way to its answer: at once or through the queue, and once for each Idempotency-Key."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from imagetrail import moments, telemetry
from imagetrail.aws import AwsError
from imagetrail.errors import ImagetrailError, NotFound, Unavailable, recorded
from imagetrail.idempotency import Earlier

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.accounts import Balance
    from imagetrail.callers import Caller, Origin
    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.generation import Generation
    from imagetrail.idempotency import IdempotencyGuard
    from imagetrail.preferences import Preferences
    from imagetrail.schemas import GenerateRequest
    from imagetrail.sqs import Queue

PATIENCE = timedelta(hours=1)
"""How long a generation may wait in the queue before it is given up, uncharged."""
_MARGIN = timedelta(seconds=60)
_FIRST_LOOK, _LAST_LOOK = 0.1, 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record that succeeded or is pending; `balances` are known unless it `is_replay` of an earlier answer.

    `is_made_here` tells that this process made the image, `applied` which preferences were honoured.
    """

    record: Item
    balances: list[Balance]
    is_made_here: bool = False
    is_replay: bool = False
    applied: str = ""


@dataclass(frozen=True, slots=True)
class DeferredRequest:
    """A request that is composed only when it begins, so that a replay does not depend on what has changed since.

    `fingerprint` tells it from others under one Idempotency-Key. `compose` gives the request, and the columns that
    stand in the record whatever the request alone would give.
    """

    fingerprint: str
    compose: Callable[[], tuple[GenerateRequest, Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Begins generations; `guard` keeps the Idempotency-Keys."""

    generation: Generation
    queue: Queue
    dynamo: Dynamo
    images_table: str
    guard: IdempotencyGuard
    now: Callable[[], datetime] = moments.utc_now
    pause: Callable[[float], None] = time.sleep

    def submit(
        self,
        caller: Caller,
        request: GenerateRequest | DeferredRequest,
        origin: Origin,
        *,
        time_left: timedelta,
        preferences: Preferences,
        key: str | None,
    ) -> Outcome:
        """Raises what `Generation.start` and `finish` raise; with a key also InProgress and KeyReused.

        A failure that took money, or may have, is the answer for its key: the same request never pays again. Any
        other failure frees the key.
        """
        until = self.now() + time_left
        if isinstance(request, DeferredRequest):
            deferred = request
        else:
            given = request
            deferred = DeferredRequest(given.model_dump_json(), lambda: (given, {}))

        def begin(image_id: str | None) -> Outcome:
            composed, columns = deferred.compose()
            return self._begin(caller, composed, origin, until, preferences, image_id, columns)

        if key is None:
            return begin(None)
        done = self.guard.run(caller.owner, key, deferred.fingerprint, time_left, begin)
        return self._replay(done) if isinstance(done, Earlier) else done

    def _begin(
        self,
        caller: Caller,
        request: GenerateRequest,
        origin: Origin,
        until: datetime,
        preferences: Preferences,
        image_id: str | None,
        columns: Item,
    ) -> Outcome:
        asked = preferences.respond_async or preferences.wait is not None
        queued = asked or self.generation.is_slow(request)
        patience = PATIENCE if queued else until - self.now() + _MARGIN
        pending, balances = self.generation.start(
            caller, request, patience, origin, image_id=image_id, queued=queued, columns=columns
        )
        if not queued:
            return Outcome(self.generation.finish(pending, until - self.now()), balances, is_made_here=True)
        try:
            self._send(pending["id"])
        except Unavailable as error:
            error.image_id = pending["id"]
            if self.generation.abandon(pending):
                raise
        wait_until = min(until, self.now() + (preferences.wait or timedelta(0)))
        return Outcome(self._wait(pending, wait_until), balances, applied=preferences.applied)

    def _send(self, image_id: str) -> None:
        try:
            self.queue.send(image_id)
        except AwsError as error:
            telemetry.log_defect(error, image_id)
            raise Unavailable from None

    def _wait(self, pending: Item, until: datetime) -> Item:
        """The record when it is final, or as it is at `until`."""
        record, seconds = pending, _FIRST_LOOK
        while record["status"] == "pending" and self.now() + timedelta(seconds=seconds) < until:
            self.pause(seconds)
            seconds = min(seconds * 1.5, _LAST_LOOK)
            record = self.dynamo.get(self.images_table, pending["id"], consistent=True) or pending
        return _final(record)

    def _replay(self, earlier: Earlier) -> Outcome:
        record = earlier.record
        if record is None:
            raise NotFound("The image that this Idempotency-Key stands for is gone.", headers=REPLAYED)
        if record["status"] == "pending" and "claim" not in record:
            self._send(earlier.image_id)  # the first process may have died before it could
        try:
            return Outcome(_final(record), [], is_replay=True)
        except ImagetrailError as error:
            error.headers |= REPLAYED
            raise


REPLAYED = {"idempotent-replayed": "true"}


def _final(record: Item) -> Item:
    """The record, unless it tells of a failure: that is raised, as it was for whoever asked first."""
    if record["status"] in ("failed", "blocked"):
        raise recorded(record["error"], record["id"])
    return record
