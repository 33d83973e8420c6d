"""Uploads as a browser sends them: one multipart form, its file last."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyvips
from urllib3.filepost import encode_multipart_formdata

from imagetrail.reference_entries import incoming_key
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagetrail.callers import Caller
    from imagetrail.wiring import Deployment


def picture(suffix: str = ".png", width: int = 120, height: int = 80, **options: Any) -> bytes:
    """An encoded picture: red above, blue below."""
    red = pyvips.Image.black(width, height, bands=3).linear(1, [220, 30, 30]).cast("uchar")
    data: bytes = red.draw_rect([30, 30, 220], 0, height // 2, width, height, fill=True).write_to_buffer(
        suffix, **options
    )
    return data


def post(upload: Mapping[str, Any], data: bytes, *, gateway_token: str = "", **changed: str) -> tuple[int, str]:
    """Sends the form with this file; returns the status and what the store says. `changed` replaces fields."""
    fields: list[tuple[str, Any]] = [*(upload["fields"] | changed).items()]
    body, content_type = encode_multipart_formdata([*fields, ("file", ("a.png", data, "application/octet-stream"))])
    parts = urlsplit(upload["url"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    connection.request("POST", parts.path, body, {"content-type": content_type, "x-imagetrail-gateway": gateway_token})
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def fetch(url: str) -> tuple[int, bytes]:
    """GETs what a signed address leads to."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def add_reference(deployment: Deployment, caller: Caller, dataset_id: str, data: bytes) -> None:
    """A reference image that is ready: by this process, or by the function that hears of the upload."""
    upload = deployment.references.request_upload(caller, dataset_id, {"content_type": "image/png"})
    key = incoming_key(dataset_id, upload["id"])
    deployment.bucket.put(key, data, "image/png", cache_control="private", tags={})
    assert deployment.references.confirm(key) in ("ready", "ignored")
    dataset = deployment.datasets.read(dataset_id) or {}
    assert dataset["reference_images"][upload["id"]]["status"] == "ready"
