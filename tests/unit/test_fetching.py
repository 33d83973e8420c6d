"""Fetching pictures: what comes, and from where nothing is fetched."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from cli.fetching import Fetcher, NotFetched
from tests.loopback import listening

if TYPE_CHECKING:
    from collections.abc import Iterator


class Answers(BaseHTTPRequestHandler):
    """A server with a word for each path."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        match self.path.partition("?")[0]:
            case "/picture":
                self._answer(200, b"pixels" * 1000)
            case "/large":
                self._answer(200, bytes(20_000))
            case "/moved":
                self._answer(302, b"", Location="/picture")
            case "/away":
                self._answer(302, b"", Location="http://metadata.example/latest")
            case "/file":
                self._answer(302, b"", Location="file:///etc/passwd")
            case "/round":
                self._answer(302, b"", Location="/round")
            case "/nowhere":
                self._answer(302, b"", Location="http://[::")
            case "/short":
                self._answer(200, b"pix", **{"Content-Length": "100"})
            case "/slow":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                gate.wait(5)
            case _:
                self._answer(404, b"")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


gate = threading.Event()


@contextmanager
def served() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    gate.clear()
    with listening(type("Recorded", (Answers,), {"asked": asked})) as url:
        try:
            yield url, asked
        finally:
            gate.set()


def told(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(NotFetched) as caught:
        fetcher.fetch(url)
    return str(caught.value)


def resolving(*addresses: str) -> Any:
    """Every name has these addresses."""
    return lambda _host, port, **_: [(0, socket.SOCK_STREAM, 0, "", (address, port)) for address in addresses]


def test_a_picture_comes_also_by_a_redirect() -> None:
    with served() as (url, asked):
        fetcher = Fetcher(allow_loopback=True)
        assert fetcher.fetch(f"{url}/picture?a=b c&d=ö") == b"pixels" * 1000
        assert fetcher.fetch(f"{url}/moved") == b"pixels" * 1000
        assert asked == ["/picture?a=b%20c&d=%C3%B6", "/moved", "/picture"]


def test_what_goes_wrong_is_told() -> None:
    with served() as (url, _):
        fetcher = Fetcher(allow_loopback=True, max_bytes=10_000, seconds=0.5)
        assert told(fetcher, f"{url}/nothing") == "its server answers 404"
        assert told(fetcher, f"{url}/large") == "it has more than 10000 bytes"
        assert told(fetcher, f"{url}/round") == "it is redirected more than 5 times"
        assert told(fetcher, f"{url}/nowhere") == "it is redirected to a URL that makes no sense"
        assert "broke off" in told(fetcher, f"{url}/short")
        assert told(fetcher, f"{url}/file") == "its URL must begin with http:// or https://"
        assert told(fetcher, f"{url}/slow").startswith("it did not come within")
        gate.set()


@pytest.mark.parametrize("url", ["ftp://example.org/a", "file:///etc/passwd", "images/a.png", "", "http://", "data:,a"])
def test_only_http_and_https(url: str) -> None:
    assert "must begin with http" in told(Fetcher(), url)


def test_no_names_and_passwords() -> None:
    assert "password" in told(Fetcher(), "http://me:secret@example.org/a.png")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "ff02::1", "198.18.0.1",
    ],
)  # fmt: skip
def test_no_address_but_a_public_one(address: str) -> None:
    with served() as (url, asked):
        port = url.rpartition(":")[2]
        for known in ((address,), ("93.184.215.14", address)):  # one bad address of several is enough
            fetcher = Fetcher(resolve=resolving(*known))
            assert told(fetcher, f"http://example.org:{port}/picture") == "its host is not on the public internet"
        assert asked == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"])
def test_no_way_to_write_this_machine(host: str) -> None:
    assert told(Fetcher(seconds=1), f"http://{host}:1/a") in (
        "its host is not on the public internet",
        "its host has no address",
    )


def test_a_redirect_is_judged_too() -> None:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        address = "169.254.169.254" if host == "metadata.example" else "127.0.0.1"
        return [(0, socket.SOCK_STREAM, 0, "", (address, port))]

    with served() as (url, _):
        fetcher = Fetcher(allow_loopback=True, resolve=resolve)
        assert told(fetcher, f"{url}/away") == "its host is not on the public internet"


def test_a_name_that_changes_its_mind_is_asked_once() -> None:
    answers = ["127.0.0.1", "169.254.169.254"]

    def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        return [(0, socket.SOCK_STREAM, 0, "", (answers.pop(0), port))]

    with served() as (url, _):
        port = url.rpartition(":")[2]
        fetcher = Fetcher(allow_loopback=True, resolve=resolve)
        assert fetcher.fetch(f"http://rebind.example:{port}/picture") == b"pixels" * 1000
    assert answers == ["169.254.169.254"]
