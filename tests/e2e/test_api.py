"""The product as its users meet it: over HTTP, through the front door, on the deployed template."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from imagetrail import provenance
from imagetrail.answers import (
    BatchResult,
    Dataset,
    DatasetPage,
    GeneratedImage,
    Image,
    ImagePage,
    Job,
    Lineage,
    ModelPage,
    Problem,
)
from local.token import token
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Service

SEED_RESPONSE = {
    "id", "image_url", "caption", "prompt_used", "dataset_id", "style", "aspect_ratio", "quality", "format",
    "resolution", "reference_images_count",
}  # fmt: skip
SEED_RECORD = {
    "id", "user_id", "prompt", "full_prompt", "image_url", "dataset_id", "style", "aspect_ratio", "quality", "format",
    "resolution", "reference_images_count", "unique_visual_elements", "created_at",
}  # fmt: skip


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self) -> Problem:
        """The body as a problem, which it must be."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        problem = Problem.model_validate_json(self.body)
        assert problem.status == self.status
        return problem


class Client:
    """A caller, with or without a token."""

    def __init__(self, url: str, authorization: str | None = None) -> None:
        self.netloc = urlsplit(url).netloc
        self.headers = {} if authorization is None else {"Authorization": authorization}

    def call(
        self, method: str, path: str, body: Any = None, said: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        connection = HTTPConnection(self.netloc, timeout=PATIENCE)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            target = f"{path}?{urlencode(query)}" if query else path
            headers = {**self.headers, **(said or {}), **({"Content-Type": "application/json"} if data else {})}
            connection.request(method, target, data, headers)
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, **query)

    def generate(self, **body: Any) -> Answer:
        return self.call("POST", "/ai/generate", {"prompt": "a quiet harbour", **body})


@pytest.fixture
def anonymous(service: Service) -> Client:
    return Client(service.url)


@pytest.fixture
def sign_in(service: Service) -> Callable[..., Client]:
    """A client with a token of the stack's own issuer, as `make token` prints it."""

    def sign_in(subject: str, *groups: str) -> Client:
        return Client(service.url, f"Bearer {token(service.folder, subject, list(groups))}")

    return sign_in


def test_generate_list_get_and_open(anonymous: Client) -> None:
    answer = anonymous.generate(aspect_ratio="16:9", style="photorealistic", seed=7)
    assert answer.status == 201, answer.body
    made = GeneratedImage.model_validate_json(answer.body)
    assert set(answer.json) >= SEED_RESPONSE | SEED_RECORD
    assert answer.headers["location"] == f"/ai/generated-images/{made.id}"
    assert (made.caption, made.prompt_used) == ("a quiet harbour", "a quiet harbour. Style: photorealistic.")
    assert (made.width, made.height, made.seed, made.status) == (1024, 576, 7, "succeeded")
    record = anonymous.get(answer.headers["location"])
    assert Image.model_validate_json(record.body).model_dump() == made.model_dump(exclude={"caption", "prompt_used"})
    page = anonymous.get("/ai/generated-images", limit=5)
    ImagePage.model_validate_json(page.body)
    assert page.json["images"][0] == record.json
    assert {"images", "count", "offset", "limit"} <= set(page.json)
    picture = anonymous.get(urlsplit(made.image_url or "").path)
    assert (picture.status, picture.headers["content-type"]) == (200, "image/png")
    assert "immutable" in picture.headers["cache-control"]
    assert len(picture.body) == made.bytes
    embedded = provenance.extract(picture.body)
    assert embedded["full_prompt"] == made.full_prompt
    assert "user_id" not in embedded
    thumbnail = anonymous.get(urlsplit(made.thumbnail_url or "").path)
    assert (thumbnail.status, thumbnail.headers["content-type"]) == (200, "image/webp")


@pytest.mark.parametrize(
    ("image_format", "mime"), [("png", "image/png"), ("jpeg", "image/jpeg"), ("webp", "image/webp")]
)
def test_every_format(anonymous: Client, image_format: str, mime: str) -> None:
    made = anonymous.generate(format=image_format, aspect_ratio="9:21").json
    picture = anonymous.get(urlsplit(made["image_url"]).path)
    assert picture.headers["content-type"] == mime
    assert provenance.extract(picture.body)["id"] == made["id"]
    assert made["format"] == ("jpg" if image_format == "jpeg" else image_format)


def test_the_same_seed_paints_the_same_picture(anonymous: Client) -> None:
    first, second, other = (anonymous.generate(seed=seed, resolution="2K").json for seed in (1, 1, 2))
    assert first["width"] == 2048
    pixels = [anonymous.get(urlsplit(made["thumbnail_url"]).path).body for made in (first, second, other)]
    assert pixels[0] == pixels[1] != pixels[2]


def test_what_the_model_cannot_do_is_recorded(anonymous: Client) -> None:
    assert anonymous.generate(negative_prompt="rain", quality="high").json["dropped_params"] == [
        "negative_prompt",
        "quality",
    ]


def test_callers_see_their_own(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    alice, star, named_anonymous, admin = sign_in("alice"), sign_in("*"), sign_in("anonymous"), sign_in("root", "admin")
    image = alice.generate().json
    assert image["user_id"] == "alice"
    path = f"/ai/generated-images/{image['id']}"
    assert alice.get(path).status == admin.get(path).status == 200
    for stranger in (anonymous, star, named_anonymous):
        assert stranger.get(path).problem().code == "not_found"
        assert image["id"] not in [i["id"] for i in stranger.get("/ai/generated-images").json["images"]]
    assert image["id"] in [i["id"] for i in admin.get("/ai/generated-images").json["images"]]
    assert [i["user_id"] for i in alice.get("/ai/generated-images").json["images"]] == ["alice"]


def test_a_header_that_does_not_verify_is_401(service: Service, sign_in: Callable[..., Client]) -> None:
    good = sign_in("alice").headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(claims, other_key, "RS256", headers={"kid": kid})
    unsigned = jwt.encode(claims, "", "none")
    for header in ("", "Bearer", "Bearer x", "Basic YTpi", f"Bearer {forged}", f"Bearer {unsigned}", f"Token {good}"):
        answer = Client(service.url, header).get("/ai/generated-images")
        assert answer.problem().code == "unauthenticated", header
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert Client(service.url, f"bearer {good}").get("/ai/generated-images").status == 200


def test_paging_over_http(sign_in: Callable[..., Client]) -> None:
    caller = sign_in("pager")
    ids = [caller.generate(format="jpg").json["id"] for _ in range(5)][::-1]
    first = caller.get("/ai/generated-images", limit=2).json
    second = caller.get("/ai/generated-images", limit=2, cursor=first["next_cursor"]).json
    assert [image["id"] for image in first["images"] + second["images"]] == ids[:4]
    assert [i["id"] for i in caller.get("/ai/generated-images", limit=2, offset=3).json["images"]] == ids[3:]
    assert [i["id"] for i in caller.get("/ai/generated-images", order="asc").json["images"]] == ids[::-1]
    stranger = sign_in("stranger").get("/ai/generated-images", cursor=first["next_cursor"])
    assert stranger.problem().code == "invalid_cursor"


def test_the_trash_over_http(service: Service, anonymous: Client, sign_in: Callable[..., Client]) -> None:
    alice = sign_in("tidy-alice")
    made = alice.generate().json
    path, pixels = f"/ai/generated-images/{made['id']}", urlsplit(made["image_url"]).path
    thrown = alice.call("DELETE", path)
    assert thrown.status == 200
    assert Image.model_validate_json(thrown.body).deleted_at is not None
    for where in (pixels, urlsplit(made["thumbnail_url"]).path):
        assert anonymous.get(where).problem().code == "not_found"
        assert anonymous.call("HEAD", where).status == 404
    assert alice.get(path).json == thrown.json
    assert alice.get("/ai/generated-images").json["images"] == []
    assert alice.get("/ai/generated-images", status="deleted").json["images"] == [thrown.json]
    run_function(service, "PurgeTrash")
    assert anonymous.get(pixels).status == 404
    restored = alice.call("POST", f"{path}/restore")
    assert (restored.status, restored.json["deleted_at"]) == (200, None)
    assert anonymous.get(pixels).status == 200
    assert [image["id"] for image in alice.get("/ai/generated-images").json["images"]] == [made["id"]]
    assert sign_in("somebody").call("DELETE", path).status == 404
    unowned = anonymous.generate().json["id"]
    assert anonymous.call("DELETE", f"/ai/generated-images/{unowned}").problem().code == "forbidden"
    assert sign_in("root", "admin").call("DELETE", f"/ai/generated-images/{unowned}").status == 200


def test_favorites_and_batches_over_http(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    caller, images = sign_in("collector"), "/ai/generated-images"
    ids = [caller.generate(format="jpg").json["id"] for _ in range(3)][::-1]
    marked = caller.call("PUT", f"{images}/{ids[1]}/favorite")
    assert (marked.status, Image.model_validate_json(marked.body).favorite) == (200, True)
    assert caller.call("PUT", f"{images}/{ids[1]}/favorite").json == marked.json
    assert caller.get(images, favorite="true").json["images"] == [marked.json]
    assert caller.get(images, favorite="false").problem().errors
    assert sign_in("root", "admin").get(images, favorite="true").json["count"] >= 1
    assert anonymous.call("PUT", f"{images}/{ids[1]}/favorite").status == 404
    assert caller.call("DELETE", f"{images}/{ids[1]}/favorite").json["favorite"] is False
    assert caller.get(images, favorite="true").json["images"] == []
    answer = caller.call("POST", f"{images}/batch", {"action": "delete", "ids": [ids[0], ids[1]]})
    assert (answer.status, BatchResult.model_validate_json(answer.body).succeeded) == (200, 2)
    assert [image["id"] for image in caller.get(images).json["images"]] == [ids[2]]
    answer = caller.call("POST", f"{images}/batch", {"action": "restore", "filter": {"from": "2020-01-01"}})
    assert (answer.status, Job.model_validate_json(answer.body).kind) == (202, "change_images")
    until(lambda: caller.get(answer.headers["location"]).json["status"] == "succeeded")
    job = caller.get(answer.headers["location"]).json
    assert job["receipt"]["counts"] == {"changed": 2}
    assert [image["id"] for image in caller.get(images).json["images"]] == ids


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "burn", "ids": [str(UUID(int=1))]}, "action"),
        ({"action": "delete"}, "body"),
        ({"action": "delete", "ids": [str(UUID(int=1))], "filter": {}}, "body"),
        ({"action": "delete", "filter": {}, "cursor": "x"}, "cursor"),
        ({"action": "delete", "ids": []}, "ids"),
        ({"action": "delete", "ids": ["x"]}, "ids.0"),
        ({"action": "delete", "ids": [str(UUID(int=n)) for n in range(201)]}, "ids"),
        ({"action": "delete", "filter": {"limit": 5}}, "filter.limit"),
        ({"action": "delete", "filter": {"from": "yesterday"}}, "filter.from"),
        ({"action": "delete", "filter": {"from": "2026-01-02", "to": "2026-01-01"}}, "filter"),
        ({"action": "delete", "filter": {"favorite": False}}, "filter.favorite"),
    ],
)
def test_bad_batches(anonymous: Client, body: dict[str, Any], field: str) -> None:
    answer = anonymous.call("POST", "/ai/generated-images/batch", body)
    assert answer.status == 422, answer.body
    assert field in [error.field for error in answer.problem().errors or ()], answer.body


def test_an_image_is_made_again_over_http(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    caller = sign_in("again")
    first = caller.generate(format="jpg", seed=5, style="oil").json
    path = f"/ai/generated-images/{first['id']}"
    again = caller.call("POST", f"{path}/regenerate", {"seed": "same", "style": "ink"})
    assert again.status == 201, again.body
    made = GeneratedImage.model_validate_json(again.body)
    assert (str(made.parent_id), made.seed, made.prompt_used) == (first["id"], 5, "a quiet harbour. Style: ink.")
    assert again.headers["location"] == f"/ai/generated-images/{made.id}"
    assert provenance.extract(anonymous.get(urlsplit(made.image_url or "").path).body)["parent_id"] == first["id"]
    queued = caller.call("POST", f"{path}/regenerate", {}, {"prefer": "respond-async"})
    assert (queued.status, queued.json["status"]) == (202, "pending"), queued.body
    lineage = caller.get(f"{path}/lineage")
    tree = Lineage.model_validate_json(lineage.body)
    assert (tree.count, tree.truncated) == (3, False)
    assert [str(child.id) for child in tree.roots[0].children] == [str(made.id), queued.json["id"]]
    assert tree.roots[0].children[0].changed == ["style"]
    for stranger in (anonymous, sign_in("nosy")):
        assert stranger.call("POST", f"{path}/regenerate", {}).status == 404
        assert stranger.get(f"{path}/lineage").status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seed": "other"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": None}, "seed"),
        ({"prompt": None}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"dataset": "old"}, "dataset"),
        ({"dataset": "frozen", "dataset_id": str(UUID(int=1))}, "body"),
        ({"dataset_id": str(UUID(int=1))}, "dataset_id"),
        ({"model": "dall-e"}, "model"),
        ({"image_id": "x"}, "image_id"),
    ],
)
def test_bad_regenerations(anonymous: Client, body: dict[str, Any], field: str) -> None:
    image = anonymous.get("/ai/generated-images", limit=1).json["images"][0]["id"]
    answer = anonymous.call("POST", f"/ai/generated-images/{image}/regenerate", body)
    assert answer.status == 422, answer.body
    assert field in [error.field for error in answer.problem().errors or ()], answer.body


def run_function(service: Service, name: str) -> Any:
    """What a scheduled function answers, run by the emulator under its own role."""
    stack = service.stack
    answer = stack.client("lambda").invoke(FunctionName=stack.resources[name], Payload=b"{}")
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def test_datasets_over_http(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    alice = sign_in("brand-manager")
    made = alice.call("POST", "/ai/datasets", {"name": "Tea House", "vibe": "calm"})
    assert made.status == 201
    dataset = Dataset.model_validate_json(made.body)
    path = made.headers["location"]
    assert path == f"/ai/datasets/{dataset.id}"
    assert anonymous.get(path).status == 404
    changed = alice.call("PATCH", path, {"unique_visual_elements": ["paper lamps"]})
    assert (changed.status, changed.json["version"]) == (200, 2)
    image = alice.generate(dataset_id=str(dataset.id)).json
    assert image["prompt_used"] == "Vibe: calm. UNIQUE ELEMENTS: paper lamps. a quiet harbour"
    assert image["unique_visual_elements"] == ["paper lamps"]
    listed = alice.get("/ai/generated-images", dataset_id=str(dataset.id)).json["images"]
    assert [i["id"] for i in listed] == [image["id"]]
    page = DatasetPage.model_validate_json(alice.get("/ai/datasets").body)
    assert [d.id for d in page.datasets] == [dataset.id]
    assert anonymous.generate(dataset_id=str(dataset.id)).problem().errors


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b"", 400, None),
        (b'{"prompt":"\xff\xfe"}', 400, None),
        (b"[" * 100_000, 400, None),
        (b"[]", 422, "body"),
        (b'{"prompt":"\\ud800"}', 422, "prompt"),
        (b'{"prompt":"   "}', 422, "prompt"),
        (b'{"prompt":5}', 422, "prompt"),
        (b"{}", 422, "prompt"),
        (b'{"prompt":"' + b"x" * 10_001 + b'"}', 422, "prompt"),
        (b'{"prompt":"x","colour":"red"}', 422, "colour"),
        (b'{"prompt":"x","seed":-1}', 422, "seed"),
        (b'{"prompt":"x","seed":true}', 422, "seed"),
        (b'{"prompt":"x","aspect_ratio":"2:1"}', 422, "aspect_ratio"),
        (b'{"prompt":"x","dataset_id":"x"}', 422, "dataset_id"),
        (b'{"prompt":"x","dataset_id":"019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11"}', 422, "dataset_id"),
        (b'{"prompt":"x","model":"dall-e"}', 422, "model"),
        (b'{"prompt":"' + b"x" * 600_000 + b'"}', 413, None),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else None,
)
def test_bad_bodies(anonymous: Client, body: bytes, status: int, field: str | None) -> None:
    answer = anonymous.call("POST", "/ai/generate", body)
    problem = answer.problem()
    assert answer.status == status, answer.body
    if field is not None:
        assert field in [error.field for error in problem.errors or ()]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"limit": 0}, 422, "limit"),
        ({"limit": 201}, 422, "limit"),
        ({"limit": "x"}, 422, "limit"),
        ({"offset": 10_001}, 422, "offset"),
        ({"offset": -1}, 422, "offset"),
        ({"cursor": "x"}, 400, "cursor"),
        ({"dataset_id": "x"}, 422, "dataset_id"),
        ({"status": "done"}, 422, "status"),
        ({"order": "up"}, 422, "order"),
        ({"from": "yesterday"}, 422, "from"),
        ({"from": "2026-02-02", "to": "2026-02-02"}, 422, "to"),
        ({"sort": "x"}, 422, "sort"),
    ],
)
def test_bad_queries(anonymous: Client, query: dict[str, Any], status: int, field: str) -> None:
    answer = anonymous.get("/ai/generated-images", **query)
    assert answer.status == status
    assert field in [error.field for error in answer.problem().errors or ()]


def test_paths_that_lead_nowhere(anonymous: Client) -> None:
    missing = anonymous.get("/ai/generated-images/019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11")
    assert (missing.status, missing.problem().code) == (404, "not_found")
    assert anonymous.get("/ai/generated-images/42").problem().code == "invalid_request"
    assert anonymous.get("/ai/nothing").problem().code == "not_found"
    refused = anonymous.call("PUT", "/ai/datasets", {})
    assert (refused.status, refused.headers["allow"]) == (405, "POST, GET, HEAD")
    assert anonymous.get("/images/019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11.png").problem().code == "not_found"


def test_callers_at_once(anonymous: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda seed: anonymous.generate(seed=seed, format="jpg"), range(8)))
    assert [answer.status for answer in answers] == [201] * 8
    assert len({answer.json["id"] for answer in answers}) == 8


def test_what_is_offered_and_what_is_left(anonymous: Client, sign_in: Callable[..., Client]) -> None:
    (model,) = ModelPage.model_validate_json(anonymous.get("/ai/models").body).models
    assert (model.name, model.default, model.price_usd.one_k) == ("procedural", True, 0)
    assert anonymous.get("/ai/usage").json == {"daily_images": None}
    assert sign_in("root", "admin").get("/ai/usage").json == {"daily_images": None, "monthly_budget_usd": None}


def test_the_document_is_served(anonymous: Client) -> None:
    document = anonymous.get("/ai/openapi.json")
    assert document.json["openapi"] == "3.1.0"
    assert set(document.json["paths"]) >= {"/ai/generate", "/ai/generated-images", "/ai/generated-images/{image_id}"}


@pytest.mark.parametrize("path", ["/", "/ai/models", "/ai/nothing"])
def test_every_header_comes_once(service: Service, path: str) -> None:
    where = urlsplit(service.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    names = [name.lower() for name, _ in answer.getheaders()]
    assert "date" in names
    assert len(names) == len(set(names))
