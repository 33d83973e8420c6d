"""What a caller is told of a bad request: the right status, a problem that names the field, and no secret."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions import (
    create_dataset,
    delete_image,
    generate_image,
    get_dataset,
    get_image,
    get_openapi,
    list_datasets,
    list_images,
    reject_route,
    update_dataset,
)
from imagetrail import errors
from imagetrail.callers import ANONYMOUS
from imagetrail.endpoints import Endpointed, endpoint
from imagetrail.http import Operation, Request, Response
from imagetrail.queries import LIST_IMAGES
from imagetrail.request_body import MAX_BODY_BYTES
from imagetrail.schemas import MAX_PROMPT, MAX_SEED, GenerateRequest
from tests.unit.conftest import Context, Event, MakeEvent

SECRET = "zebra-crossing"
IMAGE_ID = "019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11"
FUZZ = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

Answer = tuple[int, dict[str, str], dict[str, Any]]
pytestmark = pytest.mark.usefixtures("environment")


@endpoint(body=GenerateRequest, answers={200: "Echo"})
def echo(request: Request) -> Response:
    """What was read, for a test to look at."""
    return Response(200, request.body.model_dump(mode="json"))


@endpoint(query=LIST_IMAGES, answers={200: "Echo"})
def echo_query(request: Request) -> Response:
    """What was read, for a test to look at."""
    return Response(200, {name: str(value) for name, value in request.query.items()})


def ask(handler: Endpointed, event: Event) -> Answer:
    answer = handler(event, Context())
    return answer["statusCode"], answer["headers"], json.loads(answer["body"])


def problem(answer: Answer, status: int, code: str, *fields: str) -> dict[str, Any]:
    """Checks the shape of a problem, and gives its body."""
    got, headers, body = answer
    assert (got, body["status"], body["code"]) == (status, status, code), body
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert set(body) <= {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert body["type"] == "about:blank"
    assert body["request_id"] == "request-1"
    assert body["title"]
    assert body["detail"]
    assert [error["field"] for error in body.get("errors", ())] == list(fields)
    assert all(error["message"] for error in body.get("errors", ()))
    assert SECRET not in json.dumps(body)
    assert "Traceback" not in json.dumps(body)
    return body


BROKEN: dict[str, str | bytes | None] = {
    "no body": None,
    "empty": "",
    "blank": " \r\n\t",
    "empty bytes": b"",
    "a word": SECRET,
    "cut off": f'{{"prompt":"{SECRET}',
    "single quotes": f"{{'prompt':'{SECRET}'}}",
    "trailing comma": f'{{"prompt":"{SECRET}",}}',
    "comment": f'{{"prompt":"{SECRET}"}} // note',
    "two documents": f'{{"prompt":"{SECRET}"}}{{"prompt":"{SECRET}"}}',
    "a form": f"prompt={SECRET}&style=oil",
    "a raw line feed": f'{{"prompt":"{SECRET}\n"}}',
    "a bad escape": f'{{"prompt":"{SECRET}\\x"}}',
    "Latin-1": f'{{"prompt":"{SECRET} café"}}'.encode("latin-1"),
    "UTF-16": f'{{"prompt":"{SECRET}"}}'.encode("utf-16"),
    "a surrogate in UTF-8": f'{{"prompt":"{SECRET}'.encode() + b'\xed\xa0"}',
    "an overlong form": b'{"prompt":"\xc0\xaf"}',
    "gzip": b"\x1f\x8b\x08\x00\x00",
    "NaN": '{"prompt":"x","seed":NaN}',
    "Infinity": '{"prompt":"x","seed":-Infinity}',
    "a number too large for a float": '{"prompt":"x","seed":1e999}',
    "an endless number": '{"prompt":"x","seed":' + "9" * 100_000 + "}",
    "100,000 lists": "[" * 100_000 + "]" * 100_000,
    "100,000 open lists": "[" * 100_000,
    "50,000 objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "100,000 lists in the prompt": '{"prompt":' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("handler", [generate_image.handler, create_dataset.handler, update_dataset.handler])
def test_a_body_that_is_no_json_is_malformed(event: MakeEvent, handler: Endpointed, body: str | bytes | None) -> None:
    problem(ask(handler, event(body)), 400, "malformed_request")


@pytest.mark.parametrize("text", ["é", "not base64!", "====", "A", "\ud800"])
def test_a_body_that_is_no_base64_is_malformed(event: MakeEvent, text: str) -> None:
    problem(ask(echo, event(text, encoded=True)), 400, "malformed_request")


INVALID: dict[str, tuple[Any, str]] = {
    "a list": ([{"prompt": SECRET}], "body"),
    "a text": (SECRET, "body"),
    "a number": (5, "body"),
    "null": (None, "body"),
    "true": (True, "body"),
    "no prompt": ({}, "prompt"),
    "prompt is null": ({"prompt": None}, "prompt"),
    "prompt is a number": ({"prompt": 5}, "prompt"),
    "prompt is a list": ({"prompt": [SECRET]}, "prompt"),
    "prompt is an object": ({"prompt": {"text": SECRET}}, "prompt"),
    "empty prompt": ({"prompt": ""}, "prompt"),
    "blank prompt": ({"prompt": " \t\r\n\u00a0\u2003\u3000"}, "prompt"),
    "long prompt": ({"prompt": SECRET + "x" * MAX_PROMPT}, "prompt"),
    "long astral prompt": ({"prompt": "🦊" * (MAX_PROMPT + 1)}, "prompt"),
    "prompt in capitals": ({"Prompt": SECRET, "prompt": "x"}, "Prompt"),
    "unknown field": ({"prompt": SECRET, "n": 4}, "n"),
    "unknown field of Unicode": ({"prompt": SECRET, "größe🦊": 4}, "größe🦊"),
    "unknown field of nothing": ({"prompt": SECRET, "": 4}, "body"),
    "a column that is not for callers": ({"prompt": SECRET, "user_id": "bob"}, "user_id"),
    "a model's own setting": ({"prompt": SECRET, "model_config": {}}, "model_config"),
    "blank negative prompt": ({"prompt": SECRET, "negative_prompt": " "}, "negative_prompt"),
    "long negative prompt": ({"prompt": SECRET, "negative_prompt": "x" * 10_001}, "negative_prompt"),
    "blank style": ({"prompt": SECRET, "style": "\n"}, "style"),
    "empty style": ({"prompt": SECRET, "style": ""}, "style"),
    "long style": ({"prompt": SECRET, "style": "x" * 201}, "style"),
    "style is a list": ({"prompt": SECRET, "style": ["oil"]}, "style"),
    "ratio": ({"prompt": SECRET, "aspect_ratio": "2:1"}, "aspect_ratio"),
    "ratio is null": ({"prompt": SECRET, "aspect_ratio": None}, "aspect_ratio"),
    "ratio is a number": ({"prompt": SECRET, "aspect_ratio": 1.5}, "aspect_ratio"),
    "quality": ({"prompt": SECRET, "quality": "HIGH"}, "quality"),
    "format": ({"prompt": SECRET, "format": "gif"}, "format"),
    "format is a list": ({"prompt": SECRET, "format": ["png"]}, "format"),
    "resolution": ({"prompt": SECRET, "resolution": "8K"}, "resolution"),
    "seed is negative": ({"prompt": SECRET, "seed": -1}, "seed"),
    "seed is too large": ({"prompt": SECRET, "seed": MAX_SEED + 1}, "seed"),
    "seed is huge": ({"prompt": SECRET, "seed": 10**300}, "seed"),
    "seed is a fraction": ({"prompt": SECRET, "seed": 1.5}, "seed"),
    "seed is a large float": ({"prompt": SECRET, "seed": 4294967295.0}, "seed"),
    "seed is almost whole": ({"prompt": SECRET, "seed": 7.0000001}, "seed"),
    "seed is a list": ({"prompt": SECRET, "seed": [7]}, "seed"),
    "seed is a text": ({"prompt": SECRET, "seed": "7"}, "seed"),
    "seed is true": ({"prompt": SECRET, "seed": True}, "seed"),
    "dataset": ({"prompt": SECRET, "dataset_id": SECRET}, "dataset_id"),
    "dataset is a number": ({"prompt": SECRET, "dataset_id": 5}, "dataset_id"),
    "dataset is a list": ({"prompt": SECRET, "dataset_id": [IMAGE_ID]}, "dataset_id"),
    "empty model": ({"prompt": SECRET, "model": ""}, "model"),
}


@pytest.mark.parametrize(("document", "field"), INVALID.values(), ids=INVALID)
def test_a_value_that_is_not_acceptable_is_named(event: MakeEvent, document: object, field: str) -> None:
    problem(ask(generate_image.handler, event(json.dumps(document))), 422, "invalid_request", field)


def test_everything_that_is_wrong_is_told_at_once(event: MakeEvent) -> None:
    wrong = {"prompt": " ", "seed": "x", "format": "gif", "colour": "red"}
    body = problem(
        ask(generate_image.handler, event(json.dumps(wrong))),
        422,
        "invalid_request",
        "prompt",
        "format",
        "seed",
        "colour",
    )
    assert [error["message"] for error in body["errors"]] == [
        "must not be blank",
        "must be one of 'png', 'jpg' or 'webp'",
        "must be a whole number from 0 to 4294967294",
        "is not a known field; leave it out",
    ]


DATASET_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({}, "name"),
    "blank name": ({"name": " "}, "name"),
    "long vibe": ({"name": "x", "vibe": "x" * 501}, "vibe"),
    "elements are a text": ({"name": "x", "unique_visual_elements": "oak"}, "unique_visual_elements"),
    "one element is a number": ({"name": "x", "unique_visual_elements": ["oak", 5]}, "unique_visual_elements.1"),
    "one element is blank": ({"name": "x", "unique_visual_elements": [" "]}, "unique_visual_elements.0"),
    "too many elements": ({"name": "x", "unique_visual_elements": ["oak"] * 51}, "unique_visual_elements"),
    "visibility": ({"name": "x", "visibility": "friends"}, "visibility"),
    "private without a token": ({"name": "x", "visibility": "private"}, "visibility"),
    "version": ({"name": "x", "version": 7}, "version"),
}


@pytest.mark.parametrize(("document", "field"), DATASET_FAULTS.values(), ids=DATASET_FAULTS)
def test_a_dataset_that_is_not_acceptable_is_named(event: MakeEvent, document: Event, field: str) -> None:
    problem(ask(create_dataset.handler, event(json.dumps(document))), 422, "invalid_request", field)


@pytest.mark.parametrize("field", ["name", "unique_visual_elements"])
def test_a_dataset_cannot_lose_what_every_dataset_has(event: MakeEvent, field: str) -> None:
    """A brand or a vibe may be cleared; a dataset without a name or without elements cannot be read again."""
    request = event(json.dumps({field: None}), path={"dataset_id": IMAGE_ID})
    problem(ask(update_dataset.handler, request), 422, "invalid_request", field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (f'{{"prompt":"{SECRET}\\ud800"}}', "prompt"),
        (f'{{"prompt":"\\udc00{SECRET}"}}', "prompt"),
        (f'{{"prompt":"{SECRET}","style":"\\ud83d\\u0041"}}', "style"),
        ('{"name":"x","unique_visual_elements":["oak","\\ud800"]}', "unique_visual_elements"),
        ('{"prompt":"x","\\ud800":1}', "?"),
        ('{"prompt":"\ud800"}', "prompt"),
    ],
)
def test_half_a_character_is_named(event: MakeEvent, body: str, field: str) -> None:
    problem(ask(generate_image.handler, event(body)), 422, "invalid_request", field)


@pytest.mark.parametrize("depth", [10, 200, 500, 900, 5000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_half_a_character_deep_inside_is_no_defect(event: MakeEvent, depth: int, opening: str, closing: str) -> None:
    body = '{"prompt":' + opening * depth + '"\\ud800"' + closing * depth + "}"
    assert ask(generate_image.handler, event(body))[0] in (400, 422)


@pytest.mark.parametrize("document", [{f"{n:x}": 1 for n in range(50_000)}, {"x" * 500_000: 1}], ids=["many", "long"])
def test_a_large_bad_body_gets_a_small_answer(event: MakeEvent, document: Event) -> None:
    """Lambda refuses answers over 6 MB, and the caller then sees no problem at all."""
    status, _, body = ask(generate_image.handler, event(json.dumps(document, separators=(",", ":"))))
    assert status == 422
    assert len(json.dumps(body)) < 64 * 1024


@pytest.mark.parametrize(
    "prompt", ["🦊" * MAX_PROMPT, "x" * MAX_PROMPT, "e\u0301", " \u200b ", "\x00", "\ufffe", "a\r\nb"]
)
def test_a_prompt_is_taken_as_it_is(event: MakeEvent, prompt: str) -> None:
    for body in (json.dumps({"prompt": prompt}), json.dumps({"prompt": prompt}, ensure_ascii=False).encode()):
        status, _, read = ask(echo, event(body))
        assert (status, read["prompt"]) == (200, prompt)


@pytest.mark.parametrize("excess", [0, 1, 100_000])
@pytest.mark.parametrize("encoded", [True, False])
def test_a_body_has_a_largest_size_in_bytes(event: MakeEvent, excess: int, encoded: bool) -> None:
    text = '{"prompt":"x"}'
    body = text + " " * (MAX_BODY_BYTES + excess - len(text))
    answer = ask(echo, event(body.encode() if encoded else body))
    if excess:
        problem(answer, 413, "too_large")
    else:
        assert answer[0] == 200


def test_the_size_is_that_of_the_bytes_and_not_of_the_characters(event: MakeEvent) -> None:
    problem(ask(echo, event('{"prompt":"' + "🦊" * (MAX_BODY_BYTES // 4) + '"}')), 413, "too_large")


BAD_QUERIES: dict[str, tuple[str, ...]] = {
    "limit": (
        *(
            "0",
            "-1",
            "201",
            "",
            " ",
            "5 ",
            " 5",
            "+5",
            "5.0",
            "1e2",
            "0x10",
            "1_0",
            "five",
            "5,6",
            "5&",
            "null",
            "\x005",
        ),
        *("５", "٥", "²", "9" * 400, "9" * 5000, "00000000000005"),
    ),
    "offset": ("-1", "10001", "", "1.5", "１", "0,0"),
    "dataset_id": (
        *("", "5", "null", f"{{{IMAGE_ID}}}", f"urn:uuid:{IMAGE_ID}", IMAGE_ID.replace("-", ""), f"{IMAGE_ID} "),
        *(f"{IMAGE_ID},{IMAGE_ID}", IMAGE_ID[:-1] + "g", IMAGE_ID[:-1] + "１", "../../etc/passwd", "0" * 10_000),
    ),
    "status": ("", "Succeeded", "trashed", "succeeded,failed", "unsettled"),
    "order": ("", "DESC", "random", "asc,desc"),
    "from": (
        *(
            "",
            "yesterday",
            "2026-02-30",
            "2026-02-02T10:30:00",
            "2026-02-02T10:30:00 01:00",
            "1738492200",
            "+2026-01-01",
        ),
        *("2026-13-01", "2026-02-02T25:00:00Z", "0001-01-01T00:00:00+01:00", "2026-01-01,2026-01-02", "2026W01T10"),
        *("2026-02-02T10:30:00Z\x00junk", "2026-02-02\x00", "2026-02-02\n", "20260202", "2026-02-02 10:30:00Z"),
    ),
    "to": ("", "2026-02-02T10:30:00", "9999-12-31T23:59:59-01:00", "10000-01-01", "2026-02-02Z"),
}


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, texts in BAD_QUERIES.items() for text in texts],
    ids=lambda part: part[:30],
)
def test_a_query_value_that_is_not_acceptable_is_named(event: MakeEvent, name: str, text: str) -> None:
    body = problem(ask(list_images.handler, event(query={name: text})), 422, "invalid_request", name)
    assert len(body["errors"][0]["message"]) < 200


@pytest.mark.parametrize("name", ["page", "Limit", "limit ", "limit[]", "", "größe", "user_id", "__class__"])
@pytest.mark.parametrize(
    "handler",
    [list_images.handler, list_datasets.handler, get_image.handler, get_openapi.handler, generate_image.handler],
)
def test_an_unknown_query_parameter_is_named(event: MakeEvent, handler: Endpointed, name: str) -> None:
    problem(ask(handler, event('{"prompt":"x"}', query={name: SECRET})), 422, "invalid_request", name)


@pytest.mark.parametrize("raw", ["limit=5&limit=6", "limit=5&limit=5", "a=1&limit=5&%6Cimit=6", "limit=&limit="])
def test_a_query_parameter_that_is_given_twice_is_named(event: MakeEvent, raw: str) -> None:
    """API Gateway joins such values with a comma."""
    request = event(query={"limit": "5,6"} | ({"a": "1"} if "a=" in raw else {})) | {"rawQueryString": raw}
    errors_ = {error["field"]: error["message"] for error in ask(list_images.handler, request)[2]["errors"]}
    assert errors_["limit"] == "must be given once"


def test_a_route_tells_which_query_parameters_it_takes(event: MakeEvent) -> None:
    body = problem(ask(list_datasets.handler, event(query={"page": "2"})), 422, "invalid_request", "page")
    assert body["errors"][0]["message"].endswith("this route takes limit, cursor, visibility")


def test_from_must_be_before_to(event: MakeEvent) -> None:
    same = {"from": "2026-02-02", "to": "2026-02-02T01:00:00+01:00"}
    problem(ask(list_images.handler, event(query=same)), 422, "invalid_request", "to")


def test_offset_points_at_the_cursor(event: MakeEvent) -> None:
    body = problem(ask(list_images.handler, event(query={"offset": "10001"})), 422, "invalid_request", "offset")
    assert "cursor" in body["errors"][0]["message"]


def test_a_cursor_and_an_offset_do_not_go_together(event: MakeEvent) -> None:
    problem(ask(list_images.handler, event(query={"cursor": "x", "offset": "5"})), 422, "invalid_request", "offset")


@pytest.mark.parametrize("handler", [list_images.handler, list_datasets.handler])
@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "=" * 9, "A" * 10_000, "AAAA,AAAA", "\x00"])
def test_a_cursor_that_we_did_not_make_is_refused(event: MakeEvent, handler: Endpointed, cursor: str) -> None:
    problem(ask(handler, event(query={"cursor": cursor})), 400, "invalid_cursor", "cursor")


@pytest.mark.parametrize(
    "text", ["", "5", "me", "favorite", f"{IMAGE_ID}x", f"{{{IMAGE_ID}}}", "%00", "..", "🦊", "0" * 9999]
)
@pytest.mark.parametrize(
    ("handler", "name"),
    [(get_image.handler, "image_id"), (get_dataset.handler, "dataset_id"), (update_dataset.handler, "dataset_id")],
)
def test_a_path_with_something_that_is_no_id_is_named(
    event: MakeEvent, handler: Endpointed, name: str, text: str
) -> None:
    body = '{"name":"x"}' if handler is update_dataset.handler else None
    problem(ask(handler, event(body, path={name: text})), 422, "invalid_request", name)


def test_an_id_is_read_in_any_case() -> None:
    request = Request({"pathParameters": {"image_id": IMAGE_ID.upper()}})
    assert request.path_id("image_id") == IMAGE_ID


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Bearer garbage", "bearer a.b.c", "null"])
def test_a_header_that_does_not_verify_is_never_anonymous(event: MakeEvent, header: str) -> None:
    answer = ask(list_images.handler, event(headers={"authorization": header}))
    problem(answer, 401, "unauthenticated")
    assert answer[1]["www-authenticate"].startswith("Bearer")


def test_a_header_that_does_not_verify_comes_before_all_else(event: MakeEvent) -> None:
    answer = ask(generate_image.handler, event("{", headers={"authorization": "Bearer x"}, query={"a": "b"}))
    problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("PUT", "/ai/generate", 405, "method_not_allowed", "POST"),
        ("DELETE", "/ai/datasets", 405, "method_not_allowed", "POST, GET, HEAD"),
        ("POST", f"/ai/generated-images/{IMAGE_ID}", 405, "method_not_allowed", "GET, HEAD, DELETE"),
        ("OPTIONS", "/ai/generated-images/batch", 405, "method_not_allowed", "POST"),
        ("PATCH", "/ai/generated-images/search", 405, "method_not_allowed", "GET, HEAD"),
        ("HEAD", "/ai/generate", 405, "method_not_allowed", "POST"),
        ("TRACE", "/ai/generated-images", 405, "method_not_allowed", "GET, HEAD"),
        ("GET", "/ai/generated-image", 404, "not_found", None),
        ("GET", "/ai/generated-images/", 404, "not_found", None),
        ("GET", "/", 404, "not_found", None),
        ("BREW", "/ai/../etc/passwd", 404, "not_found", None),
        ("GET", f"/{SECRET}\n<script>", 404, "not_found", None),
    ],
)
def test_a_request_that_no_route_takes_is_told_why(
    event: MakeEvent, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    answer = ask(reject_route.handler, event(route=f"{method} $default", raw_path=path, query={"a": "b"}))
    problem(answer, status, code)
    assert set((answer[1].get("allow") or "").split(", ")) == set((allow or "").split(", "))


@pytest.mark.parametrize(
    ("handler", "method", "path", "allow"),
    [
        (get_image.handler, "GET", "/ai/generated-images/batch", "POST"),
        (get_image.handler, "HEAD", "/ai/generated-images/batch", "POST"),
        (delete_image.handler, "DELETE", "/ai/generated-images/batch", "POST"),
        (delete_image.handler, "DELETE", "/ai/generated-images/search", "GET, HEAD"),
        (delete_image.handler, "DELETE", "/ai/generated-images/export", "GET, HEAD"),
    ],
)
def test_a_parameter_does_not_take_the_place_of_a_path(
    event: MakeEvent, handler: Endpointed, method: str, path: str, allow: str
) -> None:
    word = path.rpartition("/")[2]
    request = event(
        route=f"{method} /ai/generated-images/{{image_id}}", raw_path=path, path={"image_id": word}, query={"q": "x"}
    )
    answer = ask(handler, request)
    problem(answer, 405, "method_not_allowed")
    assert answer[1]["allow"] == allow


def test_the_openapi_document_is_served_for_caches(event: MakeEvent) -> None:
    status, headers, body = ask(get_openapi.handler, event(route="GET /ai/openapi.json"))
    assert (status, headers["content-type"]) == (200, "application/json")
    assert "public" in headers["cache-control"]
    assert body["openapi"] == "3.1.0"


def test_a_defect_is_hidden_from_the_caller_and_logged_without_its_message(
    event: MakeEvent, logged: Callable[[], list[Event]]
) -> None:
    @endpoint(body=GenerateRequest, answers={})
    def broken(request: Request) -> Response:
        """Fails with a message that quotes the prompt."""
        raise KeyError(request.body.prompt)

    problem(ask(broken, event(json.dumps({"prompt": SECRET}))), 500, "internal_error")
    defect, call = logged()
    assert (defect["message"], defect["type"], defect["level"]) == ("defect", "KeyError", "ERROR")
    assert any("broken" in frame for frame in defect["where"])
    assert (call["route"], call["status"], call["code"]) == ("POST /ai/generate", 500, "internal_error")
    assert {defect["request_id"], call["request_id"]} == {"request-1"}
    assert SECRET not in json.dumps([defect, call])


def test_a_missing_setting_is_a_defect_that_names_nothing(event: MakeEvent, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("IMAGES_TABLE")
    body = problem(ask(get_openapi.handler, event()), 500, "internal_error")
    assert "IMAGES_TABLE" not in json.dumps(body)


@pytest.mark.parametrize("document", [{"prompt": SECRET, "seed": "x"}, {"prompt": SECRET}])
def test_a_call_is_logged_without_what_was_sent(
    event: MakeEvent, logged: Callable[[], list[Event]], document: Event
) -> None:
    status = ask(echo, event(json.dumps(document)))[0]
    ask(echo, event(json.dumps(document), headers={"authorization": f"Bearer {SECRET}"}))
    lines = logged()
    assert [line["status"] for line in lines] == [status, 401]
    assert all(line["ms"] >= 0 for line in lines)
    assert SECRET not in json.dumps(lines)


def test_a_failed_generation_names_its_record(event: MakeEvent) -> None:
    @endpoint(answers={})
    def failing(_request: Request) -> Response:
        """Fails as a model does."""
        error = errors.ModelFailed("The image model is away.", retry_after=30)
        error.image_id = IMAGE_ID
        raise error

    status, headers, body = ask(failing, event())
    assert (status, body["code"], body["image_id"], headers["retry-after"]) == (503, "model_failed", IMAGE_ID, "30")


def test_urls_come_from_the_deployment_or_its_stage(event: MakeEvent) -> None:
    operation = Operation()
    assert operation.read(event(), ANONYMOUS, "https://own.example", 9000).public_url == "https://own.example"
    assert operation.read(event(), ANONYMOUS, "", 9000).public_url == "https://pictures.example"
    assert operation.read(event() | {"stageVariables": None}, ANONYMOUS, "", 9000).public_url == ""


def test_a_handler_keeps_some_of_its_time_to_answer(event: MakeEvent) -> None:
    assert 0 < Operation().read(event(), ANONYMOUS, "", 29_000).time_left.total_seconds() < 28


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(IMAGE_ID),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from([*GenerateRequest.model_fields, "name", "vibe", "unique_visual_elements", "visibility"])


@FUZZ
@given(body=st.binary() | st.text() | st.dictionaries(FIELDS, JSON_VALUES).map(json.dumps))
@example(body="[" * 2000)
@example(body='{"prompt":"\\ud800"}')
def test_no_body_is_a_defect(event: MakeEvent, body: str | bytes) -> None:
    for handler in (echo, update_dataset.handler):
        status, headers, answer = ask(handler, event(body, path={"dataset_id": "none"}))
        assert status in (200, 400, 422), answer
        assert status == 200 or headers["content-type"] == "application/problem+json"


@FUZZ
@given(
    query=st.dictionaries(st.sampled_from([p.name for p in LIST_IMAGES]) | st.text(), st.text() | st.from_regex(r"\d+"))
)
@example(query={"limit": "9" * 5000})
@example(query={"from": "0001-01-01", "to": "9999-12-31T23:59:59.999999Z"})
def test_no_query_is_a_defect(event: MakeEvent, query: dict[str, str]) -> None:
    status, _, answer = ask(echo_query, event(query=query))
    assert status in (200, 422), answer


@FUZZ
@given(text=st.text(), path=st.text(), method=st.text())
def test_no_path_and_no_header_is_a_defect(event: MakeEvent, text: str, path: str, method: str) -> None:
    assert ask(get_image.handler, event(path={"image_id": text}))[0] == 422
    assert ask(list_images.handler, event(headers={"authorization": text}))[0] == 401
    assert ask(get_openapi.handler, event(headers={"authorization": text}))[0] == 200
    assert ask(reject_route.handler, event(route=f"{method} $default", raw_path=path))[0] == 404


def test_nan_never_reaches_an_answer() -> None:
    """JSON knows no NaN: an answer with one would not be readable."""
    assert json.loads(Response(200, {"cost_usd": math.nan}).as_event()["body"]) == {"cost_usd": None}
