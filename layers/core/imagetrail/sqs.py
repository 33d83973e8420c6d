"""A queue of SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagetrail.aws import Endpoint


class Queue:
    """Sends messages. A message may arrive more than once: whoever receives it must not mind."""

    def __init__(self, endpoint: Endpoint, url: str) -> None:
        self._endpoint, self._url = endpoint, url

    def send(self, body: str) -> None:
        """Raises AwsError and Unavailable."""
        message = {"QueueUrl": self._url, "MessageBody": body}
        self._endpoint.call("AmazonSQS.SendMessage", message, "application/x-amz-json-1.0")
