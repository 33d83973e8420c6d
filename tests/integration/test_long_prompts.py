"""A full prompt that is longer than a model takes: refused before anything is reserved, asked or charged."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from imagetrail.callers import Caller
from imagetrail.errors import Invalid
from imagetrail.history import HistoryQuery
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

LEFT = timedelta(seconds=10)


@pytest.fixture
def offering(stack: Stack) -> Iterator[Callable[[str], Deployment]]:
    """A deployment that offers these models, with a quota of one image."""
    made: list[Deployment] = []

    def make(models: str) -> Deployment:
        environment = {**stack.environment("GenerateImage"), "MODEL": models, "USER_DAILY_QUOTA": "1"}
        made.append(Deployment(Settings.from_environment(environment)))
        return made[-1]

    yield make
    for deployment in made:
        deployment.close()


def test_it_costs_nothing_and_says_what_to_change(offering: Callable[[str], Deployment]) -> None:
    caller = Caller(f"user-{uuid4()}")
    with closing(offering("bedrock")) as deployment:
        dataset = deployment.datasets.create(
            caller, {"name": "Tea House", "vibe": "v" * 500, "unique_visual_elements": []}
        )
        request = GenerateRequest(prompt="x" * 9_600, dataset_id=UUID(dataset["id"]))
        with pytest.raises(Invalid) as refused:
            deployment.generation.generate(caller, request, LEFT)
        assert refused.value.errors == (
            ("prompt", "must be 108 characters shorter, or have a shorter dataset or style"),
        )
        assert deployment.history.page(caller, HistoryQuery(status="all"), "")["count"] == 0


def test_a_model_that_takes_it_steps_in(offering: Callable[[str], Deployment]) -> None:
    caller = Caller(f"user-{uuid4()}")
    request = GenerateRequest(prompt="x" * 10_000, style="paper cut", format="jpg")
    with closing(offering("bedrock,procedural")) as deployment:
        record, _ = deployment.generation.generate(caller, request, LEFT)
    assert (record["model"], len(record["full_prompt"])) == ("procedural", 10_019)
