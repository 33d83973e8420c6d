"""What holds for every integration test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagetrail import aws
from local.testing import deployed
from tests.integration.standing import PARAMETERS
from tests.waiting import PATIENCE


@pytest.fixture(scope="session", autouse=True)
def patient_client() -> Iterator[None]:
    """Gives the emulator on a busy machine more time than a Lambda function has for AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "TIMEOUT_SECONDS", PATIENCE)
        patch.setattr(aws, "GIVE_UP_SECONDS", 2 * PATIENCE)
        yield


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a deployed stack."""
    data = tmp_path_factory.mktemp("seed") / "data"
    with deployed(data, PARAMETERS):
        pass
    return data


@pytest.fixture
def data(seed: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(seed, tmp_path / "data"))
