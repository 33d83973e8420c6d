"""Search as people meet it: what was just made is found, in any script, and again after the service was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from imagetrail.answers import SearchPage
from imagetrail.search import manifest
from imagetrail.search.engine import View
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.template import ROOT
from local.testing import Service, running
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path


def generate(service: Service, prompt: str) -> str:
    body = json.dumps({"prompt": prompt, "style": "paper cut"}).encode()
    request = Request(f"{service.url}/ai/generate", body, {"content-type": "application/json"})
    with urlopen(request, timeout=PATIENCE) as answer:
        return str(json.load(answer)["id"])


def search(service: Service, q: str, **query: Any) -> SearchPage:
    url = f"{service.url}/ai/generated-images/search?{urlencode({'q': q, **query})}"
    with urlopen(url, timeout=PATIENCE) as answer:
        return SearchPage.model_validate_json(answer.read())


def ids(page: SearchPage) -> list[str]:
    return [str(image.id) for image in page.images]


def indexed(service: Service) -> set[str]:
    """What the index on S3 holds of anonymous callers."""
    with closing(Deployment(Settings.from_environment(service.stack.environment("IndexImages")))) as deployment:
        shard = deployment.indexer.shards.of("anonymous")
        state = manifest.load(deployment.bucket, shard).manifest
        if state.meta is None:
            return set()
        with deployment.indexer.opened(shard, state) as folder:
            return set(View(folder).fingerprints())


@pytest.mark.parametrize(
    ("prompt", "q", "marked"),
    [
        ("Paintings of a quokka", "painting quokka", ["Paintings", "quokka"]),
        ("霧に包まれた城下町の朝", "城下町", ["城下町"]),
        ("قلعةٌ قديمة عند الغروب", "قلعه", ["قلعةٌ"]),
        ("a 🦩 by the pool", "🦩", ["🦩"]),
        ("Une crêpe au Sarrasin", '"crepe au"', ["crêpe au"]),
    ],
)
def test_what_was_just_made_is_found_and_marked(service: Service, prompt: str, q: str, marked: list[str]) -> None:
    image_id = generate(service, prompt)
    page = search(service, q)
    assert image_id in ids(page)
    image = next(image for image in page.images if str(image.id) == image_id)
    assert [fragment.text for fragment in image.snippet if fragment.match] == marked
    assert "".join(fragment.text for fragment in image.snippet) == prompt
    assert until(lambda: image_id in indexed(service))
    assert image_id in ids(search(service, f'{q} style:"paper cut"', sort="time"))
    assert image_id not in ids(search(service, f"{q} -style:paper"))


def test_a_search_is_walked_by_its_cursor(service: Service) -> None:
    made = [generate(service, f"numbat number {n}") for n in range(3)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in made:
        page = search(service, "numbat", limit=1, sort="time", **cursor)
        found += ids(page)
        cursor = {"cursor": page.next_cursor or ""}
    assert page.next_cursor is None
    assert found == made[::-1]


@pytest.mark.parametrize("options", [[], ["--mend"]])
def test_an_operator_writes_the_index_anew(service: Service, options: list[str]) -> None:
    image_id = generate(service, "a capybara in the rain")
    command = [sys.executable, "-c", "from cli.main import command; command()", "reindex", *options]
    environment = {**os.environ, "DATA_DIR": str(service.folder.path)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "records" in done.stdout
    assert image_id in indexed(service)
    assert image_id in ids(search(service, "capybara"))


def test_the_index_catches_up_after_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as service:
        first = generate(service, "a first axolotl")
        assert until(lambda: first in indexed(service))
        function = service.stack.resources["IndexImages"]
        service.stack.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
        second = generate(service, "a second axolotl")
        os.kill(service.process.pid, signal.SIGKILL)
    with running(data) as service:
        assert set(ids(search(service, "axolotl"))) == {first, second}
        assert until(lambda: {first, second} <= indexed(service))
