"""Bodies: UTF-8 alone, every key once, integers as JSON Schema has them."""

import pytest

from functions import get_openapi
from imagetrail.schemas import MAX_SEED
from tests.unit.conftest import MakeEvent
from tests.unit.test_http import ask, echo, problem

pytestmark = pytest.mark.usefixtures("environment")


def test_a_byte_order_mark_is_passed_over(event: MakeEvent) -> None:
    for body in (b'\xef\xbb\xbf{"prompt":"x"}', '\ufeff{"prompt":"x"}'):
        status, _, read = ask(echo, event(body))
        assert (status, read["prompt"]) == (200, "x")
    problem(ask(echo, event(b"\xef\xbb\xbf")), 400, "malformed_request")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"prompt":"first","prompt":"last"}', "prompt"),
        ('{"prompt":"same","prompt":"same"}', "prompt"),
        ('{"prompt":"x","pr\\u006fmpt":"y"}', "prompt"),
        ('{"prompt":"x","a":{"b":[{"c":1,"d":2,"c":3}]}}', "c"),
        ('[{"prompt":1,"prompt":2}]', "prompt"),
        ('{"":1,"":2}', ""),
        ('{"größe🦊":1,"größe🦊":2}', "größe🦊"),
        ('{"prompt":' + '{"a":' * 400 + '{"z":1,"z":2}' + "}" * 400 + "}", "z"),
    ],
)
def test_a_key_that_is_given_twice_is_named(event: MakeEvent, body: str, key: str) -> None:
    answer = problem(ask(echo, event(body)), 422, "invalid_request", key)
    assert "twice" in answer["detail"]


def test_the_same_key_may_stand_in_several_objects(event: MakeEvent) -> None:
    problem(ask(echo, event('{"prompt":"x","a":[{"b":1},{"b":2}],"b":{"b":3}}')), 422, "invalid_request", "a", "b")


@pytest.mark.parametrize(
    ("headers", "advice"),
    [
        ({"content-encoding": "gzip"}, "without Content-Encoding"),
        ({"content-encoding": "GZIP"}, "without Content-Encoding"),
        ({"content-encoding": "br, gzip"}, "without Content-Encoding"),
        ({"content-encoding": "aws-chunked"}, "without Content-Encoding"),
        ({"content-type": "application/json; charset=iso-8859-1"}, "UTF-8"),
        ({"content-type": 'application/json;charset="UTF-16"'}, "UTF-8"),
        ({"content-type": "text/plain ; Charset = windows-1252 ; x=y"}, "UTF-8"),
        ({"content-type": "application/json; charset="}, "UTF-8"),
    ],
)
@pytest.mark.parametrize("body", ['{"prompt":"x"}', b"\x1f\x8b\x08\x00\x00", ""])
def test_an_unsupported_encoding_of_the_body_is_named(
    event: MakeEvent, headers: dict[str, str], advice: str, body: str | bytes
) -> None:
    answer = ask(echo, event(body, headers=headers))
    assert advice in problem(answer, 415, "unsupported_media_type")["detail"]
    assert answer[1].get("accept-encoding") == ("identity" if "content-encoding" in headers else None)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-encoding": "identity"},
        {"content-encoding": ""},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain;charset=UTF-8"},
        {"content-type": 'application/json; charset="utf-8"'},
        {"content-type": "application/json; charset=us-ascii"},
        {"content-type": "application/json; x-charset=latin-1"},
    ],
)
def test_a_body_in_utf_8_is_taken_whatever_its_type(event: MakeEvent, headers: dict[str, str]) -> None:
    assert ask(echo, event('{"prompt":"x"}', headers=headers))[0] == 200


@pytest.mark.parametrize("body", ["junk", b"\xff\x00", '{"a":1,"a":2}'])
def test_a_route_that_takes_no_body_ignores_one(event: MakeEvent, body: str | bytes) -> None:
    headers = {"content-type": "application/json; charset=latin-1", "content-encoding": "gzip"}
    assert ask(get_openapi.handler, event(body, headers=headers))[0] == 200


@pytest.mark.parametrize(
    ("text", "seed"), [("7", 7), ("7.0", 7), ("7e0", 7), ("-0.0", 0), ("0", 0), ("4294967294.0", MAX_SEED)]
)
def test_an_integer_is_a_number_without_a_fraction(event: MakeEvent, text: str, seed: int) -> None:
    """As JSON Schema, and so the OpenAPI document, has it."""
    status, _, read = ask(echo, event(f'{{"prompt":"x","seed":{text}}}'))
    assert (status, read["seed"]) == (200, seed)
    assert type(read["seed"]) is int
