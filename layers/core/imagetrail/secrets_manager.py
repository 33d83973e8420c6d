"""Secrets by their names: a setting never holds a value."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from imagetrail.aws import AwsError
from imagetrail.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagetrail.aws import Endpoint

_LIVE_SECONDS = 300.0


class Secrets:
    """Secrets Manager, asked at most every five minutes for each secret, so that a rotation needs no deploy."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint, self._clock = endpoint, clock
        self._known: dict[str, tuple[str, float]] = {}

    def read(self, name: str) -> str:
        """The secret's text. Raises Unavailable when there is none, or this deployment may not read it."""
        value, read_at = self._known.get(name, ("", 0.0))
        if value and self._clock() - read_at < _LIVE_SECONDS:
            return value
        try:
            answer = self._endpoint.call(
                "secretsmanager.GetSecretValue", {"SecretId": name}, "application/x-amz-json-1.1"
            )
            value = str(answer["SecretString"])
        except (AwsError, KeyError):
            raise Unavailable("A secret that this deployment needs cannot be read.", retry_after=30) from None
        self._known[name] = (value, self._clock())
        return value
