"""Tokens and the keys of an issuer, honest and forged."""

import base64
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "imagetrail"
KEYS_URL, DISCOVERY_URL = f"{ISSUER}/keys", f"{ISSUER}/.well-known/openid-configuration"
SECRET = "a shared secret that is long enough for SHA-256"
ABSENT = object()
HOUR, MINUTE = 3600, 60

Document = dict[str, Any]


class Issuer:
    """An issuer's web server: `documents` by URL, or an error for every request."""

    def __init__(self, *keys: object) -> None:
        self.documents: dict[str, Any] = {KEYS_URL: {"keys": list(keys)}}
        self.error: Exception | None = None
        self.asked: list[str] = []

    def __call__(self, url: str) -> Document:
        self.asked.append(url)
        if self.error is not None:
            raise self.error
        return cast("Document", self.documents[url])

    def publish(self, *keys: object) -> None:
        self.documents[KEYS_URL] = {"keys": list(keys)}


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@cache
def private(kind: str) -> Any:
    match kind.partition("-")[0]:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate()


def jwk(kind: str, **changes: Any) -> Document:
    """The public key as its issuer publishes it, under its kind as key id."""
    algorithms: Document = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "p384": ECAlgorithm, "ed": OKPAlgorithm}
    published: Document = algorithms[kind.partition("-")[0]].to_jwk(private(kind).public_key(), as_dict=True)
    return published | {"kid": kind, "use": "sig"} | changes


def public_bytes(encoding: serialization.Encoding) -> bytes:
    return bytes(private("rsa").public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo))


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: Mapping[str, Any], payload: bytes, key: Any) -> str:
    """A token signed with the header's algorithm, without any of the checks that PyJWT makes when it encodes."""
    message = f"{segment(json.dumps(header).encode())}.{segment(payload)}"
    if key is None:
        return f"{message}."
    algorithm = jwt.get_algorithm_by_name(header["alg"])
    return f"{message}.{segment(algorithm.sign(message.encode(), key))}"


def sign(
    *,
    key: Any = None,
    alg: str = "RS256",
    header: Mapping[str, Any] | None = None,
    payload: bytes | None = None,
    **claims: Any,
) -> str:
    """A token of alice for this service: ABSENT leaves a claim or header out, `payload` replaces all claims."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300}
    signed = {name: value for name, value in (usual | claims).items() if value is not ABSENT}
    head = {"alg": alg, "kid": "rsa", "typ": "JWT"} | dict(header or {})
    head = {name: value for name, value in head.items() if value is not ABSENT}
    return compact(head, json.dumps(signed).encode() if payload is None else payload, key or private("rsa"))
