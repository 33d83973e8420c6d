"""Invalidations over the wire, to a CloudFront on loopback."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

import pytest

from imagetrail.aws import AwsError, Endpoint
from imagetrail.edge import MAX_PATHS, Edge
from imagetrail.errors import Unavailable
from imagetrail.sigv4 import Credentials
from tests.integration.vendors.loopback import Answer, Request, Vendor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.model_contract import Step

REFUSED = b"<ErrorResponse><Error><Code>TooManyInvalidationsInProgress</Code></Error></ErrorResponse>"


@pytest.fixture
def cloudfront() -> Iterator[Vendor]:
    """Takes what is well-formed: a batch whose quantity is right, of paths with a leading slash."""

    def answer(request: Request, step: Step) -> Answer:
        if step == "busy for 1 h":
            return Answer(400, {}, REFUSED)
        if step == "error":
            return Answer(503, {}, b"<ErrorResponse/>")
        _, paths = batch(request)
        well_formed = paths and all(path.startswith("/") for path in paths)
        return Answer(201 if well_formed else 400, {}, b"")

    with serving(answer) as server:
        yield server


@pytest.fixture
def edge(cloudfront: Vendor) -> Iterator[Edge]:
    endpoint = Endpoint(
        "cloudfront", "us-east-1", lambda: Credentials("AKIDEXAMPLE", "secret"), cloudfront.url, pause=lambda _: None
    )
    with closing(endpoint):
        yield Edge(endpoint, "E1EXAMPLE")


def batch(request: Request) -> tuple[str, list[str]]:
    """The caller's reference and the paths of an invalidation."""
    root = Xml.fromstring(request.body)  # noqa: S314
    assert root.tag == "{http://cloudfront.amazonaws.com/doc/2020-05-31/}InvalidationBatch"
    paths = [path.text or "" for path in root.iterfind("{*}Paths/{*}Items/{*}Path")]
    assert root.findtext("{*}Paths/{*}Quantity") == str(len(paths))
    return root.findtext("{*}CallerReference", ""), paths


def test_the_paths_are_sent_signed_and_once_each(cloudfront: Vendor, edge: Edge) -> None:
    edge.forget(["/images/b.png", "/images/a&b.png", "/images/b.png"], because=["b yesterday"])
    (request,) = cloudfront.requests
    assert request.path == "/2020-05-31/distribution/E1EXAMPLE/invalidation"
    assert "/us-east-1/cloudfront/aws4_request" in request.headers["authorization"]
    assert request.headers["content-type"] == "application/xml"
    assert batch(request)[1] == ["/images/a&b.png", "/images/b.png"]


def test_the_same_reason_is_the_same_invalidation(cloudfront: Vendor, edge: Edge) -> None:
    edge.forget(["/a", "/b"], because=["1", "2"])
    edge.forget(["/b", "/a"], because=["2", "1"])
    edge.forget(["/a", "/b"], because=["1", "3"])
    edge.forget(["/a"], because=["1", "2"])
    references = [batch(request)[0] for request in cloudfront.requests]
    assert references[0] == references[1]
    assert len(set(references)) == 3


def test_too_many_paths_are_all_paths(cloudfront: Vendor, edge: Edge) -> None:
    for count in (MAX_PATHS, MAX_PATHS + 1, MAX_PATHS + 2):
        edge.forget([f"/images/{number}.png" for number in range(count)], because=["x"])
    sent = [batch(request) for request in cloudfront.requests]
    assert len(sent[0][1]) == MAX_PATHS
    assert sent[1][1] == sent[2][1] == ["/images/*", "/thumbnails/*"]
    assert len({reference for reference, _ in sent}) == 3


def test_nothing_to_forget_and_nowhere_to_forget_it(cloudfront: Vendor, edge: Edge) -> None:
    edge.forget([], because=["x"])
    Edge(Endpoint("cloudfront", "us-east-1", lambda: Credentials("a", "b"), cloudfront.url), "").forget(
        ["/a"], because=["x"]
    )
    assert cloudfront.received == 0


def test_a_refusal_is_an_error_that_names_its_code(cloudfront: Vendor, edge: Edge) -> None:
    cloudfront.script("busy for 1 h")
    with pytest.raises(AwsError, match="TooManyInvalidationsInProgress"):
        edge.forget(["/a"], because=["x"])


def test_an_overload_is_tried_again_and_then_given_up(cloudfront: Vendor, edge: Edge) -> None:
    cloudfront.script("error")
    edge.forget(["/a"], because=["x"])
    assert cloudfront.received == 2
    cloudfront.script("error", "error", "error", "error")
    with pytest.raises(Unavailable):
        edge.forget(["/a"], because=["x"])
