"""Bearer tokens: JSON Web Tokens of one OpenID Connect issuer, verified here and nowhere else."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import jwt

from imagetrail.callers import MAX_USER_ID_BYTES, Caller
from imagetrail.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
ADMIN_GROUP = "admin"
_TYPES = ("jwt", "at+jwt")  # RFC 9068, section 4; an issuer may leave the type out
_KEYCLOAK_TYPES = ("bearer", "id")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_LEEWAY_SECONDS = 5
_KEYS_LIVE_SECONDS = 3600
_KEYS_REFETCH_SECONDS = 60
_KEYS_RETRY_SECONDS = 5
_FETCH_TIMEOUT_SECONDS = 3
_MAX_DOCUMENT_BYTES = 1 << 20
_END_OF_TIME = 253_402_300_800  # the year 10000


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could lead from https to anywhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_json(url: str) -> dict[str, Any]:
    """A JSON document from the issuer. Raises OSError and ValueError."""
    with urllib.request.build_opener(_Stay).open(url, timeout=_FETCH_TIMEOUT_SECONDS) as answer:
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

    An issuer that does not answer, or answers nonsense, is left alone for some seconds, and the known keys stay.
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
        self._failed_at: float | None = None

    def find(self, key_id: str) -> PublicKey | None:
        """The key of this id, if the issuer has it. Raises Unavailable when the issuer cannot be asked."""
        now = self._clock()
        age = None if self._fetched_at is None else now - self._fetched_at
        unknown = key_id not in self._keys
        wanted = age is None or age > _KEYS_LIVE_SECONDS or (unknown and age > _KEYS_REFETCH_SECONDS)
        if wanted and (self._failed_at is None or now - self._failed_at > _KEYS_RETRY_SECONDS):
            try:
                self._keys, self._fetched_at, self._failed_at = self._published(), now, None
            except (OSError, ValueError, RecursionError, http.client.HTTPException):
                self._failed_at = now
        if unknown and self._failed_at is not None:
            raise Unavailable("The issuer of tokens cannot be reached.", retry_after=_KEYS_RETRY_SECONDS)
        return self._keys.get(key_id)

    def _published(self) -> dict[str, PublicKey]:
        url = self._url or self._discovered()
        entries = self._get(url).get("keys")
        if not isinstance(entries, list):
            raise ValueError("the issuer publishes no list of keys")
        keys = {entry["kid"]: key for entry in entries if (key := _public_key(entry)) is not None}
        self._url = url
        return keys

    def _discovered(self) -> str:
        document = self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer or not isinstance(document.get("jwks_uri"), str):
            raise ValueError("the discovery document names another issuer, or no keys")
        return str(document["jwks_uri"])

    def _get(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback and self._allow_http):
            raise ValueError("an issuer must be reached by https")
        document: Any = self._fetch(url)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
        return document


def _public_key(published: Any) -> PublicKey | None:
    """What an issuer published as a key, unless it is none that signs tokens."""
    with suppress(jwt.exceptions.PyJWTError, AttributeError, KeyError, NotImplementedError, TypeError, ValueError):
        usual = ALGORITHMS[published["kty"]]
        allowed = (published["alg"],) if "alg" in published else usual
        if isinstance(published["kid"], str) and published.get("use", "sig") == "sig" and set(allowed) <= set(usual):
            return PublicKey(jwt.PyJWK(published).key, allowed)
    return None


class Verifier:
    """Turns an Authorization header into a Caller, or refuses it."""

    def __init__(self, issuer: str, audience: str, keys: KeySet, secret: Callable[[], str] | None = None) -> None:
        self._issuer, self._audience, self._keys, self._secret = issuer, audience, keys, secret

    def caller(self, authorization: str, also: str = "") -> Caller:
        """Raises Unauthenticated, and Unavailable when the issuer's keys cannot be had.

        A token for the audience `also` counts, too, unless that is empty.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("The Authorization header must read: Bearer TOKEN.")
        try:
            claims = self._verified(token.strip())
        except (jwt.exceptions.PyJWTError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("The token does not verify, or has expired.") from None
        # An access token of Cognito names its client instead of an audience.
        named = claims.get("aud")
        audiences = named if isinstance(named, list) else [claims.get("aud", claims.get("client_id"))]
        if ({self._audience, also} - {""}).isdisjoint(_texts(audiences)):
            raise Unauthenticated("The token was not made for this service.")
        return Caller(claims["sub"], is_admin=ADMIN_GROUP in _groups(claims))

    def _verified(self, token: str) -> dict[str, Any]:
        header, claims = (_document(segment) for segment in token.split(".")[:2])
        if not _is_access_token(header, claims):
            raise Unauthenticated("The token is not a bearer access token. Send the access token of this sign-in.")
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
        times = [claims.get(name, 0) for name in ("exp", "nbf", "iat")]
        if not all(type(moment) in (int, float) and moment < _END_OF_TIME for moment in times):
            raise ValueError("a time that is none")
        if not 0 < len(claims["sub"].encode()) <= MAX_USER_ID_BYTES or _CONTROL.search(claims["sub"]):
            raise ValueError("no usable subject")
        return claims


def _document(segment: str) -> dict[str, Any]:
    """One part of a token as JSON, read strictly: parsers must not differ in what it says. Raises ValueError."""
    document: Any = json.loads(
        base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)),
        object_pairs_hook=_unique,
        parse_constant=_refuse_constant,
    )
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(members)
    if len(document) < len(members):
        raise ValueError("a member occurs twice")
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Whether the issuer made this for use as a bearer token (RFC 8725, section 3.11; RFC 9068).

    An issuer also signs logout and security event tokens (`events`), ID tokens, which Cognito marks in `token_use`,
    and tokens that are of use only with a proof of possession (`cnf`).
    """
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    return (
        kind in _TYPES
        and not {"crit", "b64", "zip", "cty", "enc"} & set(header)
        and not {"events", "cnf"} & set(claims)
        and claims.get("token_use", "access") == "access"
        and str(claims.get("typ", "Bearer")).lower() in (*_TYPES, *_KEYCLOAK_TYPES)
    )


def _texts(values: list[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _groups(claims: Mapping[str, Any]) -> list[str]:
    """The groups of either claim; anything but a list of names is no group."""
    named: list[str] = []
    for claim in ("cognito:groups", "groups"):
        value = claims.get(claim)
        if isinstance(value, list):
            named += _texts(value)
    return named
