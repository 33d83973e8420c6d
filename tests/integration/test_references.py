"""Reference images on real stores: uploaded by their forms, judged on arrival, deleted without a trace."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pyvips

from imagetrail import moments
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import Forbidden, Invalid, NotFound, Unavailable
from imagetrail.reference_entries import incoming_key, stem
from imagetrail.references import LIMIT, MAX_BYTES
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration import uploads
from tests.integration.fault_proxy import Fault, proxy_to
from tests.integration.uploads import fetch, picture
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stack

PNG = {"content_type": "image/png", "file_name": "counter.png"}
SECONDS = 90  # of a busy machine

Dataset = dict[str, Any]
Post = Callable[..., tuple[int, str]]


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    environment = stack.environment("GenerateImage")
    environment["BUCKET_URL"] = f"{stack.endpoint}/{environment['BUCKET']}"
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def post(stack: Stack) -> Post:
    """Sends forms as the front door does."""
    return partial(uploads.post, gateway_token=stack.credentials.gateway_token)


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


@pytest.fixture
def dataset_id(deployment: Deployment, alice: Caller) -> str:
    return str(deployment.datasets.create(alice, {"name": "Coffee Co"})["id"])


@pytest.fixture
def judged(deployment: Deployment, alice: Caller, dataset_id: str) -> Callable[[], Dataset]:
    """Waits until nothing is awaited any more."""

    def wait() -> Dataset:
        until(lambda: all(image["status"] != "awaiting" for image in images()))
        return deployment.datasets.get(alice, dataset_id)

    def images() -> list[Any]:
        return list(deployment.datasets.get(alice, dataset_id)["reference_images"])

    return wait


@pytest.fixture
def versions(stack: Stack, dataset_id: str) -> Callable[[], list[str]]:
    """The keys of all that is kept of the dataset, every version once."""

    def listed() -> list[str]:
        held = stack.client("s3").list_object_versions(
            Bucket=stack.outputs["Bucket"], Prefix=f"references/{dataset_id}/"
        )
        return sorted(v["Key"] for v in held.get("Versions", []) + held.get("DeleteMarkers", []))

    return listed


def store(deployment: Deployment, key: str, data: bytes) -> None:
    """Puts an object where uploads go, as the form would, and tells nobody: the events are the test's."""
    deployment.bucket.put(key, data, "image/png", cache_control="private", tags={})


def test_an_upload_becomes_ready(
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    judged: Callable[[], Dataset],
    versions: Callable[[], list[str]],
    post: Post,
) -> None:
    upload = deployment.references.request_upload(alice, dataset_id, PNG)
    awaited = deployment.datasets.get(alice, dataset_id)
    assert [(image["id"], image["status"], image["url"]) for image in awaited["reference_images"]] == [
        (upload["id"], "awaiting", None)
    ]
    assert post(upload, picture())[0] == 204
    dataset = judged()
    (image,) = dataset["reference_images"]
    assert (image["id"], image["status"], image["width"], image["height"]) == (upload["id"], "ready", 120, 80)
    assert image["file_name"] == "counter.png"
    assert dataset["version"] > awaited["version"] > 1
    status, data = fetch(image["url"])
    assert (status, len(data), hashlib.sha256(data).hexdigest()) == (200, image["bytes"], image["sha256"])
    thumbnail = pyvips.Image.new_from_buffer(fetch(image["thumbnail_url"])[1], "")
    assert thumbnail.get("vips-loader") == "webpload_buffer"
    until(lambda: len(versions()) == 2)
    assert versions() == [f"{stem(dataset_id, image['id'])}{kind}" for kind in ("png", "thumbnail.webp")]
    (listed,) = deployment.datasets.page(alice)["datasets"]
    assert listed["reference_images"] == [{**image, "url": None, "thumbnail_url": None}]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GIF89a" + bytes(100), "not a PNG, JPEG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG or WebP"),
        (b"%PDF-1.7", "not a PNG, JPEG or WebP"),
        (picture()[:-30], "damaged or incomplete"),
        (picture(width=1300), "at most 16 times the shorter"),
        (picture(width=63), "63 x 80 pixels"),
    ],
    ids=["gif", "svg", "pdf", "truncated", "narrow", "tiny"],
)
def test_what_is_no_picture_is_refused_and_removed(
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    judged: Callable[[], Dataset],
    versions: Callable[[], list[str]],
    data: bytes,
    reason: str,
    post: Post,
) -> None:
    assert post(deployment.references.request_upload(alice, dataset_id, PNG), data)[0] == 204
    (image,) = judged()["reference_images"]
    assert (image["status"], image["url"]) == ("refused", None)
    assert reason in image["reason"]
    until(lambda: not versions())


def test_the_form_takes_one_file_of_its_type_and_size_at_its_place(
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    versions: Callable[[], list[str]],
    post: Post,
) -> None:
    upload = deployment.references.request_upload(alice, dataset_id, PNG)
    assert post(upload, picture(), **{"Content-Type": "text/html"})[0] == 403
    assert post(upload, picture(), key="images/x.png")[0] == 403
    assert post(upload, b"")[0] == 400
    assert post(upload, bytes(MAX_BYTES + 1))[0] == 400
    assert post(upload, picture(), **{"x-amz-signature": "0" * 64})[0] == 403
    assert versions() == []


def test_a_form_expires(deployment: Deployment, alice: Caller, dataset_id: str, post: Post) -> None:
    then = moments.utc_now() - timedelta(minutes=16)
    references = replace(deployment.references, presigner=replace(deployment.presigner, now=lambda: then))
    status, said = post(references.request_upload(alice, dataset_id, PNG), picture())
    assert status == 403
    assert "expired" in said


def test_only_owners_and_admins_add_and_delete(deployment: Deployment, alice: Caller, dataset_id: str) -> None:
    references, bob = deployment.references, Caller("bob")
    with pytest.raises(NotFound):
        references.request_upload(bob, dataset_id, PNG)
    deployment.datasets.update(alice, dataset_id, {"visibility": "public"})
    upload = references.request_upload(Caller("root", is_admin=True), dataset_id, PNG)
    for caller in (bob, ANONYMOUS):
        with pytest.raises(Forbidden):
            references.request_upload(caller, dataset_id, PNG)
        with pytest.raises(Forbidden):
            references.delete(caller, dataset_id, upload["id"])
    assert deployment.datasets.get(bob, dataset_id)["reference_images"][0]["id"] == upload["id"]


def test_of_many_at_once_none_is_lost_and_none_is_too_many(
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    judged: Callable[[], Dataset],
    post: Post,
) -> None:
    def add(_: int) -> str:
        try:
            upload = deployment.references.request_upload(alice, dataset_id, PNG)
        except Invalid:
            return "full"
        assert post(upload, picture())[0] == 204
        return "added"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(add, range(LIMIT + 3)))
    assert (outcomes.count("added"), outcomes.count("full")) == (LIMIT, 3)
    dataset = judged()
    assert [image["status"] for image in dataset["reference_images"]] == ["ready"] * LIMIT
    assert dataset["version"] == 1 + 2 * LIMIT


def test_what_never_came_is_no_obstacle(deployment: Deployment, alice: Caller, dataset_id: str) -> None:
    start = moments.utc_now()
    for _ in range(LIMIT):
        deployment.references.request_upload(alice, dataset_id, PNG)
    with pytest.raises(Invalid):
        deployment.references.request_upload(alice, dataset_id, PNG)

    def at(later: timedelta) -> list[dict[str, Any]]:
        datasets = replace(deployment.datasets, now=lambda: start + later)
        references = replace(deployment.references, datasets=datasets, now=lambda: start + later)
        references.request_upload(alice, dataset_id, PNG)
        return list(datasets.get(alice, dataset_id)["reference_images"])

    images = at(timedelta(minutes=21))
    assert [image["status"] for image in images] == ["refused"] * LIMIT + ["awaiting"]
    assert "in time" in images[0]["reason"]
    assert [image["status"] for image in at(timedelta(days=2))] == ["awaiting"]


def test_refused_ones_do_not_pile_up(deployment: Deployment, alice: Caller, dataset_id: str) -> None:
    for _ in range(2 * LIMIT + 3):
        upload = deployment.references.request_upload(alice, dataset_id, PNG)
        key = incoming_key(dataset_id, upload["id"])
        store(deployment, key, b"no picture")
        deployment.references.confirm(key)
    assert len(deployment.datasets.get(alice, dataset_id)["reference_images"]) == 2 * LIMIT


def test_an_event_may_come_twice_and_late(
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    versions: Callable[[], list[str]],
) -> None:
    references = deployment.references
    upload = references.request_upload(alice, dataset_id, PNG)
    key = incoming_key(dataset_id, upload["id"])
    store(deployment, key, picture())
    with ThreadPoolExecutor(4) as pool:
        outcomes = set(pool.map(lambda _: references.confirm(key), range(4)))
    assert outcomes <= {"ready", "ignored"}
    ready = deployment.datasets.get(alice, dataset_id)
    assert ready["reference_images"][0]["status"] == "ready"
    # the same form again, with another picture: the first one stays
    store(deployment, key, picture(".jpg", 200, 200))
    assert references.confirm(key) == "ready"
    assert deployment.datasets.get(alice, dataset_id)["reference_images"] == ready["reference_images"]
    assert references.confirm("images/x.png") == "ignored"
    assert len(versions()) == 2


def test_a_killed_confirmation_is_taken_up(deployment: Deployment, alice: Caller, dataset_id: str) -> None:
    """Its picture was stored, and then another file came by the same form: what was stored first is what counts."""
    references = deployment.references
    upload = references.request_upload(alice, dataset_id, PNG)
    key = incoming_key(dataset_id, upload["id"])
    references._judge(dataset_id, upload["id"], picture())
    store(deployment, key, picture(width=300))
    assert references.confirm(key) in ("ready", "ignored")  # the function may have been faster
    (image,) = deployment.datasets.get(alice, dataset_id)["reference_images"]
    assert (image["width"], hashlib.sha256(fetch(image["url"])[1]).hexdigest()) == (120, image["sha256"])


def test_deleting_leaves_nothing(
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    judged: Callable[[], Dataset],
    versions: Callable[[], list[str]],
    post: Post,
) -> None:
    references = deployment.references
    uploads = [references.request_upload(alice, dataset_id, PNG) for _ in range(2)]
    for upload in uploads:
        assert post(upload, picture())[0] == 204
    judged()
    left = references.delete(alice, dataset_id, uploads[0]["id"])
    assert [image["id"] for image in left["reference_images"]] == [uploads[1]["id"]]
    with pytest.raises(NotFound):
        references.delete(alice, dataset_id, uploads[0]["id"])
    until(lambda: {key.rpartition("/")[2].partition(".")[0] for key in versions()} == {uploads[1]["id"]})
    references.delete(alice, dataset_id, uploads[1]["id"])
    until(lambda: not versions())


@pytest.mark.parametrize("gone", ["reference", "dataset"])
def test_what_was_deleted_while_it_was_judged_leaves_no_object(
    stack: Stack,
    deployment: Deployment,
    alice: Caller,
    dataset_id: str,
    versions: Callable[[], list[str]],
    gone: str,
) -> None:
    references = deployment.references
    upload = references.request_upload(alice, dataset_id, PNG)
    key = incoming_key(dataset_id, upload["id"])
    outcome = references._judge(dataset_id, upload["id"], picture())
    if gone == "reference":
        references.delete(alice, dataset_id, upload["id"])
    else:
        stack.client("dynamodb").delete_item(TableName=stack.outputs["DatasetsTable"], Key={"id": {"S": dataset_id}})
    outcome = references._judge(dataset_id, upload["id"], picture())
    assert references._settle(dataset_id, upload["id"], outcome) == "deleted"
    store(deployment, key, picture())
    assert references.confirm(key) == "deleted"
    assert versions() == []


def test_a_change_of_the_brand_and_an_upload_do_not_disturb_each_other(
    deployment: Deployment, alice: Caller, dataset_id: str
) -> None:
    read = deployment.datasets.changeable(alice, dataset_id)
    deployment.references.request_upload(alice, dataset_id, PNG)
    deployment.datasets.revise(read, {"vibe": "cozy"})
    dataset = deployment.datasets.get(alice, dataset_id)
    assert (dataset["vibe"], len(dataset["reference_images"]), dataset["version"]) == ("cozy", 1, 3)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_dataset_that_is_gone_does_not_come_back(
    stack: Stack, deployment: Deployment, alice: Caller, dataset_id: str, legacy: bool
) -> None:
    """It is deleted between the read and the write of a change."""
    read = deployment.datasets.changeable(alice, dataset_id)
    if legacy:
        del read["reference_images"]
    table = {"TableName": stack.outputs["DatasetsTable"], "Key": {"id": {"S": dataset_id}}}
    stack.client("dynamodb").delete_item(**table)
    assert deployment.references._register(read, str(uuid4()), {"status": "awaiting"}) is False
    with pytest.raises(NotFound):
        deployment.datasets.revise(read, {"vibe": "cozy"})
    assert "Item" not in stack.client("dynamodb").get_item(**table)


def test_a_dataset_of_before_there_were_any(stack: Stack, deployment: Deployment, alice: Caller) -> None:
    dataset_id = deployment.datasets.create(alice, {"name": "Old", "unique_visual_elements": ["wood"]})["id"]
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["DatasetsTable"],
        Key={"id": {"S": dataset_id}},
        UpdateExpression="REMOVE reference_images, visual_elements_source",
    )
    assert deployment.datasets.get(alice, dataset_id)["visual_elements_source"] == "manual"
    with pytest.raises(NotFound):
        deployment.references.delete(alice, dataset_id, str(uuid4()))
    upload = deployment.references.request_upload(alice, dataset_id, PNG)
    (image,) = deployment.datasets.get(alice, dataset_id)["reference_images"]
    assert image["id"] == upload["id"]


def test_a_key_that_s3_is_busy_with_is_tried_again(stack: Stack) -> None:
    key = f"references/{uuid4()}"
    with proxy_to(stack.endpoint) as proxy:
        settings = Settings.from_environment(stack.environment("GenerateImage") | {"AWS_ENDPOINT_URL": proxy.url})
        with closing(Deployment(settings)) as deployment:
            proxy.inject(Fault("s3 PUT", "conflict", times=1))
            assert deployment.bucket.create(key, b"one", "image/png", cache_control="private")
            assert not deployment.bucket.create(key, b"two", "image/png", cache_control="private")
            proxy.inject(Fault("s3 PUT", "conflict"))
            with pytest.raises(Unavailable):
                deployment.bucket.create(key, b"two", "image/png", cache_control="private")
            assert deployment.bucket.get(key) == b"one"
