"""What the tests stand on: the deployed template alone, and the whole service. Both start once per session."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from local.stack import Stack
from local.testing import Service, deployed, running
from tests.documented import undocumented

__all__ = ["Service", "Stack"]

# Every run tries the same examples; `--hypothesis-profile=explore` tries new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The template's resources on an emulator, shared by all: make your own owners and ids."""
    with deployed(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`make run` on a free port, shared by all. Whatever it was sent, it answered as its OpenAPI document says."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service
        assert undocumented(service.log) == []
