"""What keeps users from paying twice, and a free tier from being drained, over HTTP."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from local.testing import running
from tests.e2e.test_api import Answer, Client
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Service

QUOTA, AT_ONCE = 3, 12


@pytest.fixture
def anonymous(service: Service) -> Client:
    return Client(service.url)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service that gives an anonymous address so many images a day."""
    data = tmp_path_factory.mktemp("limited") / "data"
    with running(data, {"ANONYMOUS_DAILY_QUOTA": str(QUOTA)}) as service:
        yield Client(service.url)


def generate(client: Client, body: Any = None, **said: str) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in said.items()}
    return client.call("POST", "/ai/generate", {"prompt": "a quiet harbour", "format": "jpg"} | (body or {}), headers)


def final(client: Client, where: str) -> Any:
    until(lambda: client.get(where).json["status"] != "pending")
    return client.get(where).json


def test_a_repeated_request_is_one_image(anonymous: Client) -> None:
    key = str(uuid4())
    refused = generate(anonymous, {"prompt": " "}, idempotency_key=key)
    assert refused.status == 422, "what is refused leaves its key free"
    first, second = (generate(anonymous, idempotency_key=key) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    other = generate(anonymous, {"prompt": "another"}, idempotency_key=key).problem()
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert generate(anonymous, idempotency_key="").problem().code == "malformed_request"


def test_a_double_click_is_one_image(anonymous: Client) -> None:
    key, prompt = str(uuid4()), f"clicked {uuid4()}"
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: generate(anonymous, {"prompt": prompt}, idempotency_key=key), range(6)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.json["id"] for answer in answers if answer.status == 201}) == 1
    assert all(answer.headers["retry-after"] for answer in answers if answer.status == 409)
    listed = anonymous.get("/ai/generated-images", limit=200, status="all").json["images"]
    assert len([image for image in listed if image["prompt"] == prompt]) == 1


def test_who_does_not_wait_finds_the_image_where_it_was_said_to_be(anonymous: Client) -> None:
    answer = generate(anonymous, prefer="respond-async")
    assert answer.status == 202
    assert answer.json["status"] == "pending"
    assert (answer.headers["preference-applied"], answer.headers["retry-after"]) == ("respond-async", "2")
    record = final(anonymous, answer.headers["location"])
    assert record["status"] == "succeeded"
    assert anonymous.get(record["image_url"].removeprefix(f"http://{anonymous.netloc}")).status == 200


def test_who_waits_long_enough_is_answered_with_the_image(anonymous: Client) -> None:
    answer = generate(anonymous, prefer="wait=20")
    assert (answer.status, answer.json["status"]) == (201, "succeeded")
    assert answer.headers["preference-applied"] == "wait=20"


def test_however_many_come_at_once_exactly_the_quota_is_made(limited: Client) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: generate(limited), range(AT_ONCE)))
    assert Counter(answer.status for answer in answers) == {201: QUOTA, 429: AT_ONCE - QUOTA}
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.problem().code == "quota_exhausted"
    assert refused.headers["ratelimit"].startswith('"daily";r=0;t=')
    assert int(refused.headers["retry-after"]) > 0
    assert limited.get("/ai/generated-images", limit=200).json["count"] == QUOTA
    assert limited.get("/ai/generated-images", limit=200, status="all").json["count"] == QUOTA
    standing = limited.get("/ai/usage").json["daily_images"]
    assert (standing["used"], standing["left"]) == (QUOTA, 0)
