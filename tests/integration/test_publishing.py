"""`make pages`: what a visitor of the deployed front door will find."""

import json
from pathlib import Path

import pytest

from local.problem import ProblemError
from local.publish import publish
from local.stack import NAME, Stack


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "gallery-ABC.js").write_text("1")
    (tmp_path / "index.html").write_text("<!doctype html>")
    return tmp_path


def test_pages_go_to_the_bucket_behind_the_edge(stack: Stack, pages: Path) -> None:
    assert publish(stack, NAME, pages) == "http://localhost:3000"
    s3, bucket = stack.client("s3"), stack.outputs["PagesBucket"]
    page = s3.head_object(Bucket=bucket, Key="index.html")
    assert (page["ContentType"], page["CacheControl"]) == ("text/html; charset=utf-8", "no-cache")
    asset = s3.head_object(Bucket=bucket, Key="assets/gallery-ABC.js")
    assert asset["CacheControl"] == "public, max-age=31536000, immutable"
    config = json.loads(s3.get_object(Bucket=bucket, Key="config.json")["Body"].read())
    assert config == {
        "issuer": stack.outputs["PagesIssuer"],
        "discovery": f"{stack.outputs['PagesIssuer']}/.well-known/openid-configuration",
        "client_id": stack.outputs["PagesClientId"],
        "audience": stack.outputs["PagesClientId"],
    }


def test_what_a_page_names_is_there_before_it(stack: Stack, pages: Path) -> None:
    publish(stack, NAME, pages)
    s3, bucket = stack.client("s3"), stack.outputs["PagesBucket"]
    written = {held["Key"]: held["LastModified"] for held in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert max(written, key=lambda key: (written[key], key.endswith(".html"))) == "index.html"


def test_a_stack_that_is_not_there_is_named(stack: Stack, pages: Path) -> None:
    with pytest.raises(ProblemError, match="imagetrail-nowhere"):
        publish(stack, "imagetrail-nowhere", pages)
