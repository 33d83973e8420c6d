"""What must not be logged, however talkative a deployment is."""

import logging

import pytest

from imagetrail import telemetry  # noqa: F401 (what it sets up is under test)


def test_at_debug_the_requests_to_aws_are_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("botocore.endpoint").debug("Making request for InvokeModel with params: a secret fox")
        logging.getLogger("botocore.retryhandler").warning("the connection broke")
    assert caplog.messages == ["the connection broke"]
