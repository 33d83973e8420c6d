"""Fetches a picture from where a table says it is, and from nowhere that a stranger's table should make us look.

Every address that a host resolves to must be public, and the connection is made to an address that was looked at, not
to the name again. A redirect is judged like the first URL.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_REDIRECTS = 5
_BLOCK = 64 * 1024
# Addresses that carry another one within: what is behind them cannot be judged.
_TRANSLATED = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]


class NotFetched(Exception):
    """Why there is no picture; it may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """At most `max_bytes` in at most `seconds`, redirects included. `allow_loopback` is for work on one machine."""

    allow_loopback: bool = False
    max_bytes: int = 50_000_000
    seconds: float = 30
    resolve: Callable[..., list[Any]] = field(default=socket.getaddrinfo)

    def fetch(self, url: str) -> bytes:
        """The bytes behind a URL. Raises NotFetched."""
        deadline = time.monotonic() + self.seconds
        for _ in range(_REDIRECTS + 1):
            try:
                following = self._get(url, deadline)
            except ssl.SSLError:
                raise NotFetched("its server cannot prove who it is") from None
            except TimeoutError:
                raise NotFetched(f"it did not come within {self.seconds:.0f} seconds") from None
            except (OSError, http.client.HTTPException):
                raise NotFetched("its server cannot be reached, or broke off") from None
            if isinstance(following, bytes):
                return following
            url = following
        raise NotFetched(f"it is redirected more than {_REDIRECTS} times")

    def _get(self, url: str, deadline: float) -> bytes | str:
        """The bytes, or where to look instead."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise NotFetched("its URL makes no sense") from None
        if parts.scheme not in ("http", "https") or not host:
            raise NotFetched("its URL must begin with http:// or https://")
        if parts.username is not None or parts.password is not None:
            raise NotFetched("its URL must not hold a name or a password")
        port = port or (443 if parts.scheme == "https" else 80)
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
        connection = http.client.HTTPConnection(host, port)
        with ExitStack() as held:
            sock = held.enter_context(self._connect(host, port, deadline))
            if parts.scheme == "https":
                sock = held.enter_context(_trust().wrap_socket(sock, server_hostname=host))
            connection.sock = sock
            connection.request("GET", path + query, headers={"User-Agent": "imagetrail", "Accept": "image/*"})
            answer = held.enter_context(closing(connection.getresponse()))
            if answer.status in (301, 302, 303, 307, 308):
                return _target(url, answer.headers.get("location", ""))
            if answer.status != 200:
                raise NotFetched(f"its server answers {answer.status}")
            return self._read(answer, sock, deadline)

    def _read(self, answer: http.client.HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
        data = bytearray()
        while True:
            if answer.isclosed():
                return bytes(data)
            sock.settimeout(_left(deadline))
            block = answer.read1(_BLOCK)
            data += block
            if len(data) > self.max_bytes:
                raise NotFetched(f"it has more than {self.max_bytes} bytes")
            if not block:
                if answer.length:
                    raise NotFetched("its server broke off")
                return bytes(data)

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        try:
            found = self.resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise NotFetched("its host has no address") from None
        for *_, address in found:
            if not self._is_fine(str(address[0])):
                raise NotFetched("its host is not on the public internet")
        problem: OSError = OSError()
        for *_, address in found:
            try:
                return socket.create_connection((address[0], port), timeout=_left(deadline))
            except OSError as error:
                problem = error
        raise problem

    def _is_fine(self, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                return self._is_fine(str(address.ipv4_mapped))
            if any(address in network for network in _TRANSLATED):
                return False
        if address.is_loopback:
            return self.allow_loopback
        return address.is_global and not address.is_multicast and not address.is_reserved


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise NotFetched("it is redirected to a URL that makes no sense") from None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
