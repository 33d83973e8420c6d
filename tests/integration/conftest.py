"""What holds for every integration test."""

from collections.abc import Iterator

import pytest

from imagetrail import aws
from tests.waiting import PATIENCE


@pytest.fixture(scope="session", autouse=True)
def patient_client() -> Iterator[None]:
    """Gives the emulator on a busy machine more time than a Lambda function has for AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "TIMEOUT_SECONDS", PATIENCE)
        patch.setattr(aws, "GIVE_UP_SECONDS", 2 * PATIENCE)
        yield
