"""Leaving, as the one who leaves meets it: over HTTP, with the deployed functions and their permissions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from imagetrail import moments
from imagetrail.answers import Job
from tests.e2e.test_api import Client, anonymous, sign_in
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Service
    from tests.e2e.test_api import Answer

__all__ = ["anonymous", "sign_in"]


def job_of(answer: Answer) -> Job:
    assert answer.status in (200, 202), answer.body
    return Job.model_validate_json(answer.body)


def finished(client: Client, location: str) -> Job:
    """The job at this location when it is through."""
    until(lambda: job_of(client.get(location)).finished_at is not None)
    return job_of(client.get(location))


def go_on(service: Service, job_id: str) -> None:
    """Has a job that waits for the end of what was under way when it began go on, as if it had waited long enough."""
    ledger, dynamo = service.stack.outputs["LedgerTable"], service.stack.client("dynamodb")
    key = {"id": {"S": f"job {job_id}"}}
    waiting = "attribute_not_exists(#lease) AND #state.#began = #due AND #state.#began = #state.#ready"
    now = {"S": moments.to_text(moments.utc_now())}

    def moved() -> bool:
        try:
            dynamo.update_item(
                TableName=ledger,
                Key=key,
                UpdateExpression="SET #due = :now, #state.#began = :now, #state.#ready = :now",
                ConditionExpression=waiting,
                ExpressionAttributeNames={
                    "#due": "due_at",
                    "#lease": "lease",
                    "#state": "state",
                    "#began": "began",
                    "#ready": "ready_at",
                },
                ExpressionAttributeValues={":now": now},
            )
        except dynamo.exceptions.ConditionalCheckFailedException:
            return False
        return True

    until(moved)
    function, event = service.stack.resources["RunJobs"], json.dumps({"job_id": job_id}).encode()
    service.stack.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=event)


def test_a_user_leaves(service: Service, anonymous: Client, sign_in: Callable[..., Client]) -> None:
    alice, bob = sign_in(f"alice-{uuid4()}"), sign_in(f"bob-{uuid4()}")
    brand = {"name": "Coffee Co", "vibe": "cozy", "visibility": "public"}
    dataset = alice.call("POST", "/ai/datasets", brand).json
    image = alice.generate(dataset_id=dataset["id"]).json
    kept = bob.generate(dataset_id=dataset["id"]).json
    pixels = [urlsplit(image[name]).path for name in ("image_url", "thumbnail_url")]
    assert [alice.get(path).status for path in pixels] == [200, 200]

    asked = alice.call("DELETE", "/ai/users/me")
    assert asked.status == 202
    location = asked.headers["location"]
    assert location == f"/ai/jobs/{job_of(asked).id}"
    assert asked.headers["retry-after"]
    assert job_of(alice.call("DELETE", "/ai/users/me")).id == job_of(asked).id

    refused = alice.generate()
    assert (refused.status, refused.problem().code) == (403, "account_erased")
    assert alice.call("POST", "/ai/datasets", brand).problem().code == "account_erased"
    assert bob.get(location).status == 404
    assert anonymous.get(location).status == 404

    until(lambda: not alice.get("/ai/generated-images").json["count"])
    go_on(service, str(job_of(asked).id))
    job = finished(alice, location)
    assert job.status == "succeeded", job.error
    assert job.receipt is not None
    expected = {"records": 1, "object_versions": 2, "datasets": 1, "records_unlinked": 1}
    assert {name: job.receipt.counts[name] for name in expected} == expected
    assert [alice.get(path).status for path in pixels] == [404, 404]
    assert alice.get(f"/ai/generated-images/{image['id']}").status == 404
    assert bob.get(f"/ai/datasets/{dataset['id']}").status == 404
    after = bob.get(f"/ai/generated-images/{kept['id']}").json
    assert (after["status"], after["dataset_id"], after["dataset_version"]) == ("succeeded", None, 1)


def test_an_admin_erases_a_user_and_nobody_else_does(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    leaver, root, bob = f"auth0|{uuid4()}", sign_in("root", "admin"), sign_in("bob")
    path = f"/ai/users/{leaver.replace('|', '%7C')}"
    assert anonymous.call("DELETE", "/ai/users/me").status == 401
    assert bob.call("DELETE", path).problem().code == "forbidden"
    started = job_of(root.call("DELETE", path))
    assert (started.kind, started.status) == ("erase_user", "queued")
    assert sign_in(leaver).generate().problem().code == "account_erased"
    assert job_of(root.get(f"/ai/jobs/{started.id}")).id == started.id
    assert bob.get(f"/ai/jobs/{started.id}").status == 404


@pytest.mark.parametrize("odd", ["oauth/google:{}?b#%2F 用户", ".{}/.."])
def test_an_admin_erases_a_user_with_any_id(anonymous: Client, sign_in: Callable[..., Client], odd: str) -> None:
    leaver, root, bob = odd.format(uuid4()), sign_in("root", "admin"), sign_in("bob")
    body = {"user_id": leaver}
    assert anonymous.call("POST", "/ai/users/erase", body).problem().code == "unauthenticated"
    assert bob.call("POST", "/ai/users/erase", body).problem().code == "forbidden"
    started = root.call("POST", "/ai/users/erase", body)
    assert (started.status, started.headers["location"]) == (202, f"/ai/jobs/{job_of(started).id}")
    assert job_of(root.call("POST", "/ai/users/erase", body)).id == job_of(started).id
    assert sign_in(leaver).generate().problem().code == "account_erased"
    assert root.generate().status == 201


def test_a_user_called_me_is_not_the_admin(sign_in: Callable[..., Client]) -> None:
    root = sign_in(f"root-{uuid4()}", "admin")
    assert root.call("POST", "/ai/users/erase", {"user_id": "me"}).status == 202
    assert root.generate().status == 201
    assert sign_in("me").generate().problem().code == "account_erased"


def test_a_path_that_could_be_read_in_two_ways_erases_nobody(sign_in: Callable[..., Client]) -> None:
    root = sign_in(f"root-{uuid4()}", "admin")
    for path in ("a%2Fb", "a%252Fb", "a%20b", "a%3Fb", "%2E%2E", "%F0%9F%A6%8A"):
        refused = root.call("DELETE", f"/ai/users/{path}")
        assert refused.status in (404, 405, 422), refused.body
        if refused.status == 422:
            assert "/ai/users/erase" in (refused.problem().errors or [])[0].message
    assert root.generate().status == 201


@pytest.mark.parametrize("body", [{}, {"user_id": ""}, {"user_id": None}, {"user_id": 5}, {"user_id": "x" * 256}])
def test_what_is_no_user_id_is_refused(sign_in: Callable[..., Client], body: dict[str, object]) -> None:
    assert sign_in("root", "admin").call("POST", "/ai/users/erase", body).status == 422


def test_a_dataset_is_deleted(sign_in: Callable[..., Client]) -> None:
    alice, bob = sign_in(f"alice-{uuid4()}"), sign_in(f"bob-{uuid4()}")
    dataset = alice.call("POST", "/ai/datasets", {"name": "Tea Co", "brand": "Tea Co"}).json
    image = alice.generate(dataset_id=dataset["id"]).json
    path = f"/ai/datasets/{dataset['id']}"
    assert bob.call("DELETE", path).status == 404
    asked = alice.call("DELETE", path)
    assert job_of(asked).kind == "delete_dataset"
    assert alice.get(path).status == 404
    assert alice.get("/ai/datasets").json["datasets"] == []
    until(lambda: alice.get(f"/ai/generated-images/{image['id']}").json["dataset_id"] is None)
    after = alice.get(f"/ai/generated-images/{image['id']}").json
    assert (after["status"], after["full_prompt"]) == ("succeeded", image["prompt_used"])
    assert job_of(alice.get(asked.headers["location"])).progress["records_unlinked"] == 1
    assert alice.get("/ai/generated-images").json["count"] == 1
    assert alice.get("/ai/generated-images", dataset_id=dataset["id"]).json["count"] == 0


def test_without_a_secret_there_is_no_webhook(anonymous: Client) -> None:
    answer = anonymous.call("POST", "/ai/webhooks/user-deleted", {"type": "user.deleted", "data": {"id": "alice"}})
    assert answer.problem().code == "not_found"
    assert "WebhookSecretName" in answer.problem().detail
