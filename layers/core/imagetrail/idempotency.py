"""Requests that take effect once, however often they are sent under one Idempotency-Key.

Powertools keeps the state of each key: in progress, or done with the id of the image that came of it. Under it stands a
second note, from the key to the image that was begun: a process may die between the charge and its answer, and the
request that is sent again must find that image instead of paying for another one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.errors import InProgress, KeyReused, Unavailable
from imagetrail.records import is_free

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item

KEPT = timedelta(hours=24)
_NOTE_KEPT = KEPT + timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Remaining:
    """What Powertools asks of Lambda's context: after this time a request in progress is taken for dead."""

    time: timedelta

    def get_remaining_time_in_millis(self) -> int:
        return int(self.time.total_seconds() * 1000)


class Once:
    """The keys in the ledger table. `client` is boto3's for DynamoDB, which Powertools needs.

    Body and key are kept as SHA-256 only, the key together with its owner: the keys of two callers never meet.
    """

    def __init__(
        self,
        client: Any,
        dynamo: Dynamo,
        images_table: str,
        ledger_table: str,
        now: Callable[[], datetime] = moments.utc_now,
        new_id: Callable[[datetime], str] = moments.new_id,
    ) -> None:
        self._dynamo, self._images, self._ledger = dynamo, images_table, ledger_table
        self._now, self._new_id = now, new_id
        self._store = DynamoDBPersistenceLayer(
            ledger_table, key_attr="id", expiry_attr="expires_at", boto3_client=client
        )

    def run(
        self, owner: str, key: str, body: str, time_left: timedelta, begin: Callable[[str], None]
    ) -> tuple[str, Item | None]:
        """The id of the image that this key stands for; `begin` makes it under that id, if nobody did.

        If somebody did, the record is given as it is now. When `begin` raises, the key is free again. Raises
        InProgress, KeyReused and Unavailable, and what `begin` raises.
        """
        begun: list[str] = []

        def once(*, request: dict[str, str]) -> dict[str, str]:
            image_id, is_new = self._note(request["key"], request["body"])
            if is_new:
                begin(image_id)
                begun.append(image_id)
            return {"image_id": image_id}

        config = IdempotencyConfig(
            event_key_jmespath="key",
            payload_validation_jmespath="body",
            expires_after_seconds=int(KEPT.total_seconds()),
            hash_function="sha256",
            lambda_context=_Remaining(time_left),  # type: ignore[arg-type]
        )
        guarded = idempotent_function(
            once,
            data_keyword_argument="request",
            persistence_store=self._store,
            config=config,
            key_prefix="idempotency",
        )
        try:
            image_id: str = guarded(request={"key": _digest(owner, key), "body": _digest(body)})["image_id"]
        except IdempotencyAlreadyInProgressError:
            raise InProgress from None
        except IdempotencyValidationError:
            raise KeyReused from None
        except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError):
            if not begun:
                raise Unavailable from None
            image_id = begun[0]  # it is made, and the note leads to it
        return image_id, None if begun else self._dynamo.get(self._images, image_id, consistent=True)

    def _note(self, key: str, body: str) -> tuple[str, bool]:
        """The image of this key, and whether it is a new one, still to be begun. Raises InProgress and KeyReused."""
        now = self._now()
        mine = self._new_id(now)
        note: Item = {
            "id": f"attempt {key}",
            "image_id": mine,
            "body": body,
            "expires_at": int((now + _NOTE_KEPT).timestamp()),
        }
        free = Expression("attribute_not_exists(#id) OR #expires_at < :now", {"now": int(now.timestamp())})
        for _ in range(2):
            try:
                self._dynamo.put(self._ledger, note, free)
            except ConditionFailedError:
                earlier = self._dynamo.get(self._ledger, note["id"], consistent=True) or note
            else:
                return mine, True
            if earlier["body"] != body:
                raise KeyReused
            if earlier["image_id"] == mine:  # the answer to our own first try was lost
                return mine, True
            record = self._dynamo.get(self._images, earlier["image_id"], consistent=True)
            if record is not None and not is_free(record):
                if record["status"] == "pending" and not record.get("queued"):
                    raise InProgress("A request with this Idempotency-Key broke off; its outcome is being settled.")
                return earlier["image_id"], False
            free = Expression("#image_id = :earlier", {"earlier": earlier["image_id"]})
        raise InProgress


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
