"""The demo and its place in the README: a believable brand, the same every time, and what reports and SQL say of it."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imagetrail import generation
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.history import HistoryQuery
from imagetrail.models import ImageRequest, ModelOutput
from imagetrail.pixels import Picture, encode
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local import demo
from local.problem import ProblemError
from local.testing import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.testing import Service

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
EXAMPLE = re.compile(r"```sh demo\n(.*?)```\n\n<!-- output -->\n```\n(.*?)```", re.DOTALL)
_SQUARE = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'


def plain(request: ImageRequest) -> ModelOutput:
    """A model that is quicker than the painter: nobody looks at these."""
    return ModelOutput(data=_SQUARE, provider="plain", model="plain", seed=request.seed, is_svg=True)


def tiny(source: bytes, width: int, height: int, image_format: str, *, trusted_svg: bool) -> Picture:
    """A picture that is stored as one of this size."""
    return replace(encode(source, 8, 8, image_format, trusted_svg=trusted_svg), width=width, height=height)


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the demo in it."""
    with running(tmp_path_factory.mktemp("demo")) as service:
        with closing(_deployment(service)) as deployment, pytest.MonkeyPatch.context() as patch:
            patch.setattr(generation, "encode", tiny)
            made = demo.run(deployment, datetime.now(UTC), plain)
        assert 250 <= made.images <= 500
        assert made.failures
        assert made.favorites
        assert made.regenerations
        assert made.thrown
        yield service


def _deployment(service: Service) -> Deployment:
    return Deployment(Settings.from_environment(service.stack.environment("GenerateImage")))


@pytest.mark.needs("curl")
def test_the_readme_shows_what_the_demo_gives(brand: Service) -> None:
    environment = {"PATH": f"{ROOT}/.venv/bin:/usr/local/bin:/usr/bin:/bin", "DATA_DIR": str(brand.folder.path)}
    examples = EXAMPLE.findall(README.read_text())
    assert len(examples) == 3
    for command, shown in examples:
        here = command.replace("http://localhost:3000", brand.url)
        ran = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", here],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == shown, command


def test_its_records_are_as_requests_would_have_made_them(brand: Service) -> None:
    with closing(_deployment(brand)) as deployment:
        history = deployment.history.page(Caller("maya"), HistoryQuery(limit=200), brand.url)["images"]
        assert len(history) > 50
        days = {image["created_at"][:10] for image in history}
        assert len(days) > 30
        assert {image["status"] for image in history} == {"succeeded"}
        assert any(image["parent_id"] for image in history)
        assert any(image["dataset_id"] for image in history)
        assert all(image["cost_usd"] > 0 and image["generation_ms"] > 100 for image in history)
        favorites = deployment.history.page(Caller("maya"), HistoryQuery(limit=200, favorite=True), "")["images"]
        assert favorites
        assert deployment.history.page(ANONYMOUS, HistoryQuery(limit=200), "")["images"]
        trashed = deployment.history.page(Caller("maya"), HistoryQuery(limit=200, status="deleted"), "")["images"]
        assert trashed


def test_it_is_made_once(brand: Service) -> None:
    with closing(_deployment(brand)) as deployment, pytest.raises(ProblemError, match="there already"):
        demo.run(deployment, datetime.now(UTC), plain)


def test_the_plan_is_the_same_every_day() -> None:
    def told(day: datetime) -> str:
        return json.dumps([(one.fields, one.user, one.fails, one.favorite, one.thrown) for one in demo.plan(day)])

    assert told(datetime(2026, 1, 31, tzinfo=UTC)) == told(datetime(2027, 3, 1, 17, tzinfo=UTC))
