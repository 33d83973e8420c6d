"""Credentials that are renewed while a process lives."""

from __future__ import annotations

from contextlib import closing
from http.server import BaseHTTPRequestHandler

from imagetrail.settings import Settings
from imagetrail.sigv4 import Credentials
from imagetrail.wiring import Deployment
from tests.loopback import listening


def test_each_request_is_signed_with_the_credentials_of_its_moment() -> None:
    signed: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            signed.append(
                (self.headers["authorization"].split("=")[1].split("/")[0], self.headers["x-amz-security-token"])
            )
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    moments = iter([Credentials("AKIAFIRST", "one", "token-1"), Credentials("AKIASECOND", "two", "token-2")])
    with listening(Handler) as url:
        tables = ("IMAGES_TABLE", "DATASETS_TABLE", "LEDGER_TABLE", "REPORTS_TABLE")
        given = dict.fromkeys((*tables, "BUCKET"), "none")
        given |= {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        settings = Settings.from_environment({**given, "AWS_ENDPOINT_URL": url})
        with closing(Deployment(settings, lambda: next(moments))) as deployment:
            for _ in range(2):
                assert deployment.dynamo.get("none", "1") is None
    assert signed == [("AKIAFIRST", "token-1"), ("AKIASECOND", "token-2")]
