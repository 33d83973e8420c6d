"""Bearer tokens: JSON Web Tokens of one OpenID Connect issuer, verified here and nowhere else."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import jwt

from imagetrail.callers import Caller
from imagetrail.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
ADMIN_GROUP = "admin"
MAX_SUBJECT = 255
_LEEWAY_SECONDS = 5
_KEYS_LIVE_SECONDS = 3600
_KEYS_REFETCH_SECONDS = 60
_FETCH_TIMEOUT_SECONDS = 3
_MAX_DOCUMENT_BYTES = 1 << 20


def fetch_json(url: str) -> dict[str, Any]:
    """A JSON document from the issuer. Raises OSError and ValueError."""
    with urllib.request.urlopen(url, timeout=_FETCH_TIMEOUT_SECONDS) as answer:  # noqa: S310 (checked in KeySet)
        document = json.loads(answer.read(_MAX_DOCUMENT_BYTES))
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


class PublicKey(NamedTuple):
    """A key with the algorithms that its type, or its publisher, allows for it."""

    key: Any
    algorithms: tuple[str, ...]


class KeySet:
    """The issuer's public keys by key id: cached for an hour, asked for again when an unknown one appears.

    Without `url` it is discovered from the issuer. Plain http is refused, except on loopback in a local run.
    """

    def __init__(
        self,
        issuer: str,
        url: str = "",
        *,
        allow_loopback_http: bool = False,
        fetch: Callable[[str], dict[str, Any]] = fetch_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer, self._url, self._allow_http = issuer, url, allow_loopback_http
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at: float | None = None

    def find(self, key_id: str) -> PublicKey | None:
        """The key of this id, if the issuer has it. Raises Unavailable when the issuer cannot be asked."""
        age = None if self._fetched_at is None else self._clock() - self._fetched_at
        unknown = key_id not in self._keys
        if age is None or age > _KEYS_LIVE_SECONDS or (unknown and age > _KEYS_REFETCH_SECONDS):
            try:
                self._refresh()
            except (OSError, ValueError):
                if unknown:
                    raise Unavailable("The issuer of tokens cannot be reached.", retry_after=5) from None
        return self._keys.get(key_id)

    def _refresh(self) -> None:
        if not self._url:
            document = self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self._issuer:
                raise ValueError("the discovery document names another issuer")
            self._url = str(document["jwks_uri"])
        keys = {}
        for published in self._get(self._url).get("keys", ()):
            key_type, key_id = published.get("kty"), published.get("kid")
            if key_type in ALGORITHMS and published.get("use", "sig") == "sig" and isinstance(key_id, str):
                allowed = {published["alg"]} if "alg" in published else set(ALGORITHMS[key_type])
                with suppress(jwt.exceptions.PyJWTError):
                    key = jwt.PyJWK(published).key
                    keys[key_id] = PublicKey(key, tuple(allowed & set(ALGORITHMS[key_type])))
        self._keys, self._fetched_at = keys, self._clock()

    def _get(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback and self._allow_http):
            raise ValueError("an issuer must be reached by https")
        return self._fetch(url)


class Verifier:
    """Turns an Authorization header into a Caller, or refuses it."""

    def __init__(self, issuer: str, audience: str, keys: KeySet, secret: Callable[[], str] | None = None) -> None:
        self._issuer, self._audience, self._keys, self._secret = issuer, audience, keys, secret

    def caller(self, authorization: str) -> Caller:
        """Raises Unauthenticated, and Unavailable when the issuer's keys cannot be had."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("The Authorization header must read: Bearer TOKEN.")
        try:
            claims = self._verified(token.strip())
        except (jwt.exceptions.PyJWTError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("The token does not verify, or has expired.") from None
        audience = claims.get("aud", ())
        audiences = [audience] if isinstance(audience, str) else audience
        # An access token of Cognito names its client instead of an audience.
        if self._audience not in audiences and claims.get("client_id") != self._audience:
            raise Unauthenticated("The token was not made for this service.")
        if claims.get("token_use", "access") not in ("access", "id"):
            raise Unauthenticated("The token is neither an access nor an ID token.")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise Unauthenticated("The token names no usable subject.")
        return Caller(subject, is_admin=ADMIN_GROUP in _groups(claims))

    def _verified(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") == "HS256" and self._secret is not None:
            return self._decode(token, self._secret(), ("HS256",))
        key_id = header.get("kid")
        key = self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise jwt.exceptions.InvalidKeyError("unknown key")
        return self._decode(token, key.key, key.algorithms)

    def _decode(self, token: str, key: Any, algorithms: tuple[str, ...]) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            issuer=self._issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "sub", "iss"], "verify_aud": False},
        )
        return claims


def _groups(claims: Mapping[str, Any]) -> list[str]:
    """The groups of either claim; anything but a list of names is no group."""
    named: list[str] = []
    for claim in ("cognito:groups", "groups"):
        value = claims.get(claim)
        if isinstance(value, list):
            named += [group for group in value if isinstance(group, str)]
    return named
