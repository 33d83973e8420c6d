"""Somebody's own OpenID Connect issuer, over the wire: discovery, its keys, and tokens of it and of others."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from local.testing import running
from tests.e2e.test_api import Client
from tests.loopback import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Service


class Issuer:
    """An identity provider on loopback."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, tuple[str, Any]] = {}
        self.keys["first"] = ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self.keys["second"] = ("ES256", ec.generate_private_key(ec.SECP256R1()))

    def document(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path != "/keys":
            return None
        published = []
        for key_id, (algorithm, key) in self.keys.items():
            family = RSAAlgorithm if algorithm.startswith("RS") else ECAlgorithm
            published.append({**json.loads(family.to_jwk(key.public_key())), "kid": key_id, "alg": algorithm})
        return {"keys": published}

    def token(self, key_id: str = "first", **claims: Any) -> str:
        algorithm, key = self.keys[key_id]
        given = {"iss": self.url, "aud": "web", "sub": "auth0|42", "exp": time.time() + 600, **claims}
        return "Bearer " + jwt.encode(given, key, algorithm, headers={"kid": key_id})


@contextmanager
def serving() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            document = provider.document(self.path)
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as url:
        provider = Issuer(url)
        yield provider


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def service(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = {"AUTH_ISSUER": issuer.url, "AUTH_AUDIENCE": "web", "ANONYMOUS_HISTORY": "none"}
    with running(tmp_path_factory.mktemp("issuer") / "data", environment) as service:
        yield service


def test_tokens_of_the_issuer_are_accepted(service: Service, issuer: Issuer) -> None:
    caller = Client(service.url, issuer.token())
    assert caller.generate(format="jpg").json["user_id"] == "auth0|42"
    assert caller.get("/ai/generated-images").json["count"] == 1
    assert (
        Client(service.url, issuer.token(sub="root", groups=["admin"])).get("/ai/generated-images").json["count"] == 1
    )
    assert Client(service.url, issuer.token("second")).get("/ai/generated-images").status == 200
    assert Client(service.url, issuer.token(aud=["api", "web"])).get("/ai/generated-images").status == 200


def test_others_are_refused(service: Service, issuer: Issuer) -> None:
    expired = issuer.token(exp=time.time() - 60)
    with serving() as impostor:
        foreign = impostor.token(iss=issuer.url)
    for header in (expired, foreign, issuer.token(aud="mobile"), issuer.token(iss=f"{issuer.url}/")):
        assert Client(service.url, header).get("/ai/generated-images").problem().code == "unauthenticated"


def test_anonymous_callers_generate_but_see_no_history_when_told_so(service: Service) -> None:
    anonymous = Client(service.url)
    assert anonymous.generate(format="jpg").json["user_id"] is None
    assert anonymous.get("/ai/generated-images").problem().code == "unauthenticated"
