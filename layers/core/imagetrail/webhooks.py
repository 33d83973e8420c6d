"""Webhooks signed as the Standard Webhooks specification has it: symmetric, `v1`.

The sender signs `id.timestamp.body` with HMAC-SHA256 under the secret, whose text is `whsec_` and the key in base64.
Source: the specification at github.com/standard-webhooks/standard-webhooks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.errors import InvalidSignature, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOLERANCE = timedelta(minutes=5)
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The judge of a message's signature. `secret` reads the shared secret; without one there are no webhooks here."""

    secret: Callable[[], str] | None
    now: Callable[[], datetime] = moments.utc_now

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises InvalidSignature; NotFound where no secret is named, Unavailable where it is of no use."""
        if self.secret is None:
            raise NotFound("This deployment takes no webhooks: its parameter WebhookSecretName is empty.")
        missing = [name for name in _HEADERS if not headers.get(name)]
        if missing:
            raise InvalidSignature(f"The header {missing[0]} is missing.")
        message_id, timestamp, signatures = (headers[name] for name in _HEADERS)
        self._check_time(timestamp)
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        expected = base64.b64encode(hmac.digest(self._key(self.secret()), signed, hashlib.sha256))
        offered = [text[3:].encode() for text in signatures.split() if text.startswith("v1,")]
        if not any([hmac.compare_digest(expected, signature) for signature in offered]):  # noqa: C419 (all are compared)
            raise InvalidSignature("No signature of version v1 in webhook-signature is by this deployment's secret.")

    def _check_time(self, timestamp: str) -> None:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10):
            raise InvalidSignature("The header webhook-timestamp must be in whole seconds since 1970.")
        if abs(datetime.fromtimestamp(int(timestamp), UTC) - self.now()) > TOLERANCE:
            raise InvalidSignature(
                "The message was signed more than five minutes from now: send it again, signed anew."
            )

    @staticmethod
    def _key(text: str) -> bytes:
        try:
            key = base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = b""
        if not key:
            raise Unavailable("The webhook's secret is not of the form whsec_ and base64.", retry_after=300)
        return key
