"""Bearer tokens: what the issuer signed for this service is a caller, everything else is 401."""

import base64
import http.client
import itertools
import json
import math
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, cast

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import Unauthenticated, Unavailable
from imagetrail.tokens import KeySet, Verifier

ISSUER, AUDIENCE = "https://issuer.example", "imagetrail"
KEYS_URL, DISCOVERY_URL = f"{ISSUER}/keys", f"{ISSUER}/.well-known/openid-configuration"
SECRET = "a shared secret that is long enough for SHA-256"
ABSENT = object()
HOUR, MINUTE = 3600, 60

Document = dict[str, Any]


class Sign(Protocol):
    """Signs claims; ABSENT leaves one out, `payload` replaces them all."""

    def __call__(
        self,
        *,
        key: Any = None,
        alg: str = "RS256",
        header: Mapping[str, Any] | None = None,
        payload: bytes | None = None,
        **claims: Any,
    ) -> str: ...


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
    algorithm = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "p384": ECAlgorithm, "ed": OKPAlgorithm}
    published = algorithm[kind.partition("-")[0]].to_jwk(private(kind).public_key())
    return json.loads(published) | {"kid": kind, "use": "sig"} | changes


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


@pytest.fixture(scope="session")
def sign() -> Sign:
    def make(
        *,
        key: Any = None,
        alg: str = "RS256",
        header: Mapping[str, Any] | None = None,
        payload: bytes | None = None,
        **claims: Any,
    ) -> str:
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300}
        signed = {name: value for name, value in (usual | claims).items() if value is not ABSENT}
        head = {"alg": alg, "kid": "rsa", "typ": "JWT"} | dict(header or {})
        head = {name: value for name, value in head.items() if value is not ABSENT}
        return compact(head, json.dumps(signed).encode() if payload is None else payload, key or private("rsa"))

    return make


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    issuer = Issuer(jwk("rsa"), jwk("ec"), jwk("ed"), jwk("p384"), jwk("rsa-enc", use="enc"), jwk("rsa-512", alg="RS512"))
    return Verifier(ISSUER, AUDIENCE, KeySet(ISSUER, KEYS_URL, fetch=issuer, clock=Clock()))


@pytest.fixture(scope="module")
def sharing() -> Verifier:
    """A verifier that also knows a shared secret."""
    keys = KeySet(ISSUER, KEYS_URL, fetch=Issuer(jwk("rsa")), clock=Clock())
    return Verifier(ISSUER, AUDIENCE, keys, lambda: SECRET)


def refused(verifier: Verifier, authorization: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier.caller(authorization)
    for part in authorization.split(".") if authorization.count(".") == 2 else ():
        assert not part or part not in caught.value.detail


@pytest.mark.parametrize(
    ("kind", "alg"),
    [("rsa", "RS256"), ("rsa", "PS384"), ("rsa-512", "RS512"), ("ec", "ES256"), ("p384", "ES384"), ("ed", "EdDSA")],
)
def test_each_asymmetric_algorithm_of_the_issuer_is_accepted(
    verifier: Verifier, sign: Sign, kind: str, alg: str
) -> None:
    token = sign(key=private(kind), alg=alg, header={"kid": kind})
    assert verifier.caller(f"Bearer {token}") == Caller("alice")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": AUDIENCE},
        {"aud": ["other", AUDIENCE]},
        {"aud": ABSENT, "client_id": AUDIENCE, "token_use": "access"},
        {"aud": AUDIENCE, "token_use": "id"},
        {"exp": time.time() + 60.5},
        {"nbf": int(time.time()) - 60},
        {"email": "alice@example.com", "groups": None, "cognito:groups": {}},
    ],
    ids=["audience", "audiences", "cognito access", "cognito id", "fractional exp", "nbf in the past", "odd groups"],
)
def test_a_token_for_this_service_is_its_subject(verifier: Verifier, sign: Sign, claims: Document) -> None:
    assert verifier.caller(f"Bearer {sign(**claims)}") == Caller("alice")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_is_read_in_any_case(verifier: Verifier, sign: Sign, scheme: str) -> None:
    assert verifier.caller(f"{scheme}{sign()} ").user_id == "alice"


@pytest.mark.parametrize("claim", ["groups", "cognito:groups"])
@pytest.mark.parametrize(
    ("groups", "is_admin"),
    [
        (["admin"], True),
        (["staff", "admin"], True),
        (["administrators", "Admin", " admin", "admin,"], False),
        ([["admin"], {"admin": 1}, None], False),
        ("admin", False),
        ({"admin": True}, False),
        (True, False),
        (None, False),
        ([], False),
    ],
)
def test_only_the_named_group_in_a_list_makes_an_admin(
    verifier: Verifier, sign: Sign, claim: str, groups: object, is_admin: bool
) -> None:
    assert verifier.caller(f"Bearer {sign(**{claim: groups})}") == Caller("alice", is_admin=is_admin)


@pytest.mark.parametrize("claim", ["admin", "role", "roles", "scope", "custom:groups", "cognito:roles"])
def test_no_other_claim_makes_an_admin(verifier: Verifier, sign: Sign, claim: str) -> None:
    assert not verifier.caller(f"Bearer {sign(**{claim: ['admin']})}").is_admin


@pytest.mark.parametrize(
    "subject", ["anonymous", "*", "auth0|x", "user:anonymous", "Ünïcødé-用户-🦊", " ", "None", "a b/c#d", "x" * 255]
)
def test_an_odd_subject_is_an_ordinary_user(verifier: Verifier, sign: Sign, subject: str) -> None:
    caller = verifier.caller(f"Bearer {sign(sub=subject)}")
    assert caller == Caller(subject)
    assert caller.owner != ANONYMOUS.owner
    assert not caller.owns(ANONYMOUS.owner)


@given(one=st.text(min_size=1), other=st.text(min_size=1))
def test_owner_partitions_never_collide(one: str, other: str) -> None:
    assert Caller(one).owner != ANONYMOUS.owner
    assert (Caller(one).owner == Caller(other).owner) is (one == other)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "none ", None, 0, ["RS256"], {}])
@pytest.mark.parametrize("signature", ["", "AAAA", "signed"])
def test_an_unsigned_token_is_refused(verifier: Verifier, sign: Sign, alg: object, signature: str) -> None:
    message, _, real = sign().rpartition(".")
    head = segment(json.dumps({"alg": alg, "kid": "rsa"}).encode())
    refused(verifier, f"Bearer {head}.{message.partition('.')[2]}.{real if signature == 'signed' else signature}")


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize(
    "forged",
    [
        lambda: public_bytes(serialization.Encoding.PEM),
        lambda: public_bytes(serialization.Encoding.PEM).strip(),
        lambda: public_bytes(serialization.Encoding.DER),
        lambda: jwk("rsa")["n"].encode(),
        lambda: json.dumps(jwk("rsa")).encode(),
        lambda: b"\0",
    ],
    ids=["pem", "stripped pem", "der", "n", "jwk", "nothing"],
)
@pytest.mark.parametrize("configured", ["verifier", "sharing"])
def test_a_public_key_is_no_shared_secret(
    request: pytest.FixtureRequest, sign: Sign, alg: str, forged: Callable[[], bytes], configured: str
) -> None:
    refused(request.getfixturevalue(configured), f"Bearer {sign(key=forged(), alg=alg)}")


def test_a_shared_secret_counts_only_where_one_is_configured(
    verifier: Verifier, sharing: Verifier, sign: Sign
) -> None:
    token = sign(key=SECRET.encode(), alg="HS256", header={"kid": ABSENT})
    assert sharing.caller(f"Bearer {token}") == Caller("alice")
    refused(verifier, f"Bearer {token}")


def test_public_keys_still_count_beside_a_shared_secret(sharing: Verifier, sign: Sign) -> None:
    assert sharing.caller(f"Bearer {sign()}") == Caller("alice")


@pytest.mark.parametrize(
    ("claims", "alg", "secret"),
    [
        ({}, "HS256", "another secret that is long enough for SHA-256"),
        ({}, "HS512", SECRET),
        ({"exp": 1}, "HS256", SECRET),
        ({"iss": "https://other.example"}, "HS256", SECRET),
        ({"aud": "other"}, "HS256", SECRET),
    ],
    ids=["wrong secret", "other algorithm", "expired", "issuer", "audience"],
)
def test_a_shared_secret_does_not_loosen_the_other_checks(
    sharing: Verifier, sign: Sign, claims: Document, alg: str, secret: str
) -> None:
    refused(sharing, f"Bearer {sign(key=secret.encode(), alg=alg, **claims)}")


BAD_CLAIMS: dict[str, Document] = {
    "wrong audience": {"aud": "other"},
    "wrong audiences": {"aud": ["other", "imagetrail2"]},
    "audience within a longer one": {"aud": "imagetrail-admin"},
    "audience as a key": {"aud": {AUDIENCE: True}},
    "audience is null": {"aud": None},
    "audience is a number": {"aud": 5},
    "audience is true": {"aud": True},
    "no audience": {"aud": ABSENT},
    "empty audiences": {"aud": []},
    "nested audiences": {"aud": [[AUDIENCE]]},
    "another client": {"aud": ABSENT, "client_id": "other"},
    "list of clients": {"aud": ABSENT, "client_id": [AUDIENCE]},
    "our client asking for another service": {"aud": "https://other-api.example", "client_id": AUDIENCE},
    "wrong issuer": {"iss": "https://evil.example"},
    "issuer with a slash": {"iss": f"{ISSUER}/"},
    "issuer as a prefix": {"iss": f"{ISSUER}.evil.example"},
    "issuer as a suffix": {"iss": f"https://evil.example/{ISSUER}"},
    "issuer by http": {"iss": ISSUER.replace("https", "http")},
    "issuer in capitals": {"iss": ISSUER.upper()},
    "issuers": {"iss": [ISSUER]},
    "no issuer": {"iss": ABSENT},
    "empty issuer": {"iss": ""},
    "expired": {"exp": int(time.time()) - 60},
    "expired long ago": {"exp": 0},
    "no expiry": {"exp": ABSENT},
    "expiry is null": {"exp": None},
    "expiry is a word": {"exp": "tomorrow"},
    "expiry is a text of digits": {"exp": "99999999999"},
    "expiry is true": {"exp": True},
    "expiry is a list": {"exp": [99999999999]},
    "expiry is NaN": {"exp": math.nan},
    "expiry is infinite": {"exp": math.inf},
    "expiry is minus infinity": {"exp": -math.inf},
    "expiry beyond all calendars": {"exp": 10**20},
    "not before tomorrow": {"nbf": int(time.time()) + 86400},
    "not before is a word": {"nbf": "now"},
    "not before is NaN": {"nbf": math.nan},
    "issued tomorrow": {"iat": int(time.time()) + 86400},
    "issued at infinity": {"iat": math.inf},
    "no subject": {"sub": ABSENT},
    "subject is null": {"sub": None},
    "subject is a number": {"sub": 5},
    "subject is a list": {"sub": ["alice"]},
    "subject is an object": {"sub": {"id": "alice"}},
    "empty subject": {"sub": ""},
    "long subject": {"sub": "x" * 256},
    "long subject in bytes": {"sub": "🦊" * 255},
    "subject with half a character": {"sub": "alice\ud800"},
    "refresh token": {"token_use": "refresh"},
    "odd token use": {"token_use": ["access"]},
    "null token use": {"token_use": None},
    "token id is a number": {"jti": 5},
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_a_claim_that_does_not_fit_is_refused(verifier: Verifier, sign: Sign, claims: Document) -> None:
    refused(verifier, f"Bearer {sign(**claims)}")


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(["aud", "client_id", "iss", "exp", "nbf", "iat", "sub", "jti", "token_use", "groups"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=4,
    ),
)
def test_any_value_of_any_claim_is_a_user_or_refused(
    verifier: Verifier, sign: Sign, name: str, value: object
) -> None:
    try:
        caller = verifier.caller(f"Bearer {sign(**{name: value})}")
    except Unauthenticated:
        return
    assert caller.user_id == (value if name == "sub" else "alice")


KID_TRICKS: dict[str, Document] = {
    "unknown": {"kid": "nobody's"},
    "missing": {"kid": ABSENT},
    "null": {"kid": None},
    "a number": {"kid": 1},
    "a list": {"kid": ["rsa"]},
    "an object": {"kid": {"kid": "rsa"}},
    "empty": {"kid": ""},
    "a path": {"kid": "../../../../dev/null"},
    "a query": {"kid": "x' UNION SELECT 'secret' --"},
    "an RSA token with an EC key": {"kid": "ec"},
    "an RSA token with an Ed25519 key": {"kid": "ed"},
    "a key for encryption": {"kid": "rsa-enc"},
    "a key for another algorithm": {"kid": "rsa-512"},
    "half a character": {"kid": "\ud800"},
}


@pytest.mark.parametrize("header", KID_TRICKS.values(), ids=KID_TRICKS)
def test_a_key_id_only_selects_a_fitting_key(verifier: Verifier, sign: Sign, header: Document) -> None:
    refused(verifier, f"Bearer {sign(header=header, key=private('rsa-enc') if header['kid'] == 'rsa-enc' else None)}")


@pytest.mark.parametrize(
    ("kind", "alg"), [("ec", "RS256"), ("ec", "ES384"), ("rsa", "ES256"), ("ed", "ES256"), ("p384", "ES256")]
)
def test_a_signature_counts_only_for_the_algorithm_of_its_key(
    verifier: Verifier, sign: Sign, kind: str, alg: str
) -> None:
    honest = {"ec": "ES256", "rsa": "RS256", "ed": "EdDSA", "p384": "ES384"}[kind]
    head, payload, signature = sign(key=private(kind), alg=honest, header={"kid": kind}).split(".")
    lie = segment(json.dumps({"alg": alg, "kid": kind}).encode())
    refused(verifier, f"Bearer {lie}.{payload}.{signature}")
    assert head != lie


def test_a_key_that_names_its_algorithm_serves_no_other(verifier: Verifier, sign: Sign) -> None:
    token = sign(key=private("rsa-512"), header={"kid": "rsa-512"}, alg="RS256")
    refused(verifier, f"Bearer {token}")


HEADER_TRICKS: dict[str, Callable[[], Document]] = {
    "jwk": lambda: {"jwk": jwk("rsa-evil", kid="rsa")},
    "jku": lambda: {"jku": "https://evil.example/keys"},
    "x5u": lambda: {"x5u": "https://evil.example/cert"},
    "x5c": lambda: {"x5c": [base64.b64encode(public_bytes(serialization.Encoding.DER)).decode()]},
    "nothing else": dict,
}


@pytest.mark.parametrize("header", HEADER_TRICKS.values(), ids=HEADER_TRICKS)
def test_a_key_that_the_token_brings_along_is_not_believed(sign: Sign, header: Callable[[], Document]) -> None:
    issuer = Issuer(jwk("rsa"))
    verifier = Verifier(ISSUER, AUDIENCE, KeySet(ISSUER, KEYS_URL, fetch=issuer))
    refused(verifier, f"Bearer {sign(key=private('rsa-evil'), header=header())}")
    assert issuer.asked == [KEYS_URL]


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["http://example/ext"], "http://example/ext": True},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"crit": "b64"},
        {"crit": [5]},
        {"crit": ["b64"]},
        {"b64": False},
    ],
)
def test_a_critical_header_that_is_not_understood_is_refused(verifier: Verifier, sign: Sign, header: Document) -> None:
    refused(verifier, f"Bearer {sign(header=header)}")


def test_an_encrypted_token_is_refused(verifier: Verifier, sign: Sign) -> None:
    header = segment(json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "rsa"}).encode())
    refused(verifier, f"Bearer {header}.AAAA.AAAA.AAAA.AAAA")
    refused(verifier, f"Bearer {sign(header={'enc': 'A256GCM'})}.AAAA.AAAA")


PAYLOADS = {
    "nothing": b"",
    "no JSON": b"alice",
    "a list": b'[{"sub":"alice"}]',
    "null": b"null",
    "a text": b'"alice"',
    "not UTF-8": b'{"sub":"\xff"}',
    "deep nesting": b'{"sub":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"sub":' * 100_000 + b"1" + b"}" * 100_000,
    "a number without end": b'{"exp":' + b"9" * 100_000 + b"}",
    "an infinite number": b'{"iss":"https://issuer.example","aud":"imagetrail","sub":"alice","exp":1e999}',
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_signed_payload_that_holds_no_claims_is_refused(verifier: Verifier, sign: Sign, payload: bytes) -> None:
    refused(verifier, f"Bearer {sign(payload=payload)}")


def test_of_duplicate_claims_only_the_last_counts(verifier: Verifier, sign: Sign) -> None:
    """RFC 7519, section 4: refuse them or take the lexically last; never a mixture."""
    claims = f'"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{int(time.time()) + 60}'
    twice = sign(payload=f'{{{claims},"sub":"alice","sub":"bob"}}'.encode())
    assert verifier.caller(f"Bearer {twice}") == Caller("bob")
    refused(verifier, f"Bearer {sign(payload=f'{{{claims},"sub":"alice","exp":1}}'.encode())}")
    refused(verifier, f"Bearer {sign(payload=f'{{{claims},"sub":"alice","aud":"other"}}'.encode())}")


AUTHORIZATIONS: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "blank": lambda _: " ",
    "scheme only": lambda _: "Bearer",
    "scheme and a blank": lambda _: "Bearer  \t ",
    "token only": lambda token: token,
    "basic": lambda _: "Basic YWxpY2U6c2VjcmV0",
    "basic with a token": lambda token: f"Basic {token}",
    "digest": lambda _: 'Digest username="alice", realm="x"',
    "token scheme": lambda token: f"Token {token}",
    "no space": lambda token: f"Bearer{token}",
    "colon": lambda token: f"Bearer: {token}",
    "leading blank": lambda token: f" Bearer {token}",
    "twice": lambda token: f"Bearer {token}, Bearer {token}",
    "list": lambda token: f"Bearer {token},{token}",
    "scheme twice": lambda token: f"Bearer Bearer {token}",
    "quoted": lambda token: f'Bearer "{token}"',
    "parameter": lambda token: f"Bearer {token}; charset=utf-8",
    "garbage": lambda _: "Bearer garbage",
    "dots": lambda _: "Bearer ..",
    "one dot": lambda token: f"Bearer {token.rpartition('.')[0]}",
    "three dots": lambda token: f"Bearer {token}.AAAA",
    "trailing dot": lambda token: f"Bearer {token}.",
    "leading dot": lambda token: f"Bearer .{token}",
    "no signature": lambda token: f"Bearer {token.rpartition('.')[0]}.",
    "not base64": lambda token: f"Bearer {token.replace('.', '.*')}",
    "unicode": lambda token: f"Bearer {token}é🦊",
    "half a character": lambda token: f"Bearer {token}\ud800",
    "NUL": lambda token: f"Bearer {token}\0",
    "line feed within": lambda token: f"Bearer {token[:20]}\n{token[20:]}",
    "blank within": lambda token: f"Bearer {token[:20]} {token[20:]}",
    "null header": lambda token: f"Bearer bnVsbA.{token.partition('.')[2]}",
    "list header": lambda token: f"Bearer W10.{token.partition('.')[2]}",
    "deep header": lambda token: f"Bearer {segment(b'[' * 100_000)}.{token.partition('.')[2]}",
    "deep object header": lambda token: f"Bearer {segment(b'{\"a\":' * 100_000)}.{token.partition('.')[2]}",
    "a megabyte of letters": lambda _: "Bearer " + "A" * 1_000_000,
    "a megabyte of dots": lambda _: "Bearer " + "." * 1_000_000,
    "a megabyte of payload": lambda token: f"Bearer {token.partition('.')[0]}.{'A' * 1_000_000}.AAAA",
    "a megabyte of signature": lambda token: f"Bearer {token}{'A' * 1_000_000}",
}


@pytest.mark.parametrize("spell", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_a_header_that_is_no_bearer_token_is_refused(
    verifier: Verifier, sharing: Verifier, sign: Sign, spell: Callable[[str], str]
) -> None:
    refused(verifier, spell(sign()))
    refused(sharing, spell(sign(key=SECRET.encode(), alg="HS256")))


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text().map("Bearer {}".format) | st.from_regex(r"Bearer [\w-]*(\.[\w-]*){2}", fullmatch=True))
def test_any_text_is_refused(sharing: Verifier, authorization: str) -> None:
    refused(sharing, authorization)


@settings(max_examples=200, deadline=None)
@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "enc", "zip", "jwk", "cty"]),
        st.none() | st.booleans() | st.integers() | st.sampled_from(["RS256", "HS256", "rsa", "ES256"]) | st.lists(st.text()),
    ),
    payload=st.binary(max_size=40),
    signature=st.binary(max_size=40),
)
def test_any_header_is_refused(sharing: Verifier, header: Document, payload: bytes, signature: bytes) -> None:
    token = f"{segment(json.dumps(header).encode())}.{segment(payload)}.{segment(signature)}"
    refused(sharing, f"Bearer {token}")


@pytest.mark.parametrize(("kind", "alg"), [("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")])
def test_no_bit_of_a_token_may_change(verifier: Verifier, sign: Sign, kind: str, alg: str) -> None:
    token = sign(key=private(kind), alg=alg, header={"kid": kind})
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
    for number, part in enumerate(parts):
        for at in range(len(part)):
            flipped = part[:at] + bytes([part[at] ^ 1 << at % 8]) + part[at + 1 :]
            spelled = ".".join(segment(piece) for piece in (*parts[:number], flipped, *parts[number + 1 :]))
            refused(verifier, f"Bearer {spelled}")


def test_no_character_of_a_token_may_change(verifier: Verifier, sign: Sign) -> None:
    token = sign(key=private("ec"), alg="ES256", header={"kid": "ec"})
    for at, letter in enumerate(token):
        for other in {"A", "_", "=", ".", chr(ord(letter) ^ 1)} - {letter}:
            refused(verifier, f"Bearer {token[:at]}{other}{token[at + 1 :]}")


def test_a_token_of_another_key_with_the_right_id_is_refused(verifier: Verifier, sign: Sign) -> None:
    refused(verifier, f"Bearer {sign(key=private('rsa-evil'))}")


# The issuer's keys.


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(jwk("rsa"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> KeySet:
    return KeySet(ISSUER, KEYS_URL, fetch=issuer, clock=clock)


def test_keys_are_kept_for_an_hour(keys: KeySet, issuer: Issuer, clock: Clock) -> None:
    assert keys.find("rsa")
    clock.time += HOUR - 1
    assert keys.find("rsa")
    assert len(issuer.asked) == 1
    clock.time += 2
    assert keys.find("rsa")
    assert len(issuer.asked) == 2


def test_a_withdrawn_key_is_forgotten_within_the_hour(keys: KeySet, issuer: Issuer, clock: Clock) -> None:
    assert keys.find("rsa")
    issuer.publish(jwk("ec"))
    clock.time += HOUR + 1
    assert keys.find("rsa") is None
    assert keys.find("ec")


def test_a_new_key_is_picked_up(keys: KeySet, issuer: Issuer, clock: Clock) -> None:
    assert keys.find("rsa")
    issuer.publish(jwk("rsa"), jwk("ec"))
    clock.time += MINUTE + 1
    assert keys.find("ec")
    assert keys.find("rsa")
    assert len(issuer.asked) == 2


def test_forgeries_make_us_ask_at_most_once_a_minute(keys: KeySet, issuer: Issuer, clock: Clock) -> None:
    for second in range(5 * MINUTE):
        assert keys.find(f"forged {second}") is None
        clock.time += 1
    assert len(issuer.asked) <= 5


def test_an_issuer_that_is_away_is_unavailable_and_spared(keys: KeySet, issuer: Issuer, clock: Clock) -> None:
    """Each question takes seconds to time out: not every request may wait for one."""
    issuer.error = TimeoutError()
    for _ in range(10):
        with pytest.raises(Unavailable) as caught:
            keys.find("rsa")
        assert caught.value.retry_after
    assert len(issuer.asked) == 1
    issuer.error = None
    clock.time += MINUTE + 1
    assert keys.find("rsa")


def test_known_keys_work_while_the_issuer_is_away(keys: KeySet, issuer: Issuer, clock: Clock) -> None:
    assert keys.find("rsa")
    issuer.error = OSError()
    clock.time += 10 * HOUR
    for _ in range(10):
        assert keys.find("rsa")
        with pytest.raises(Unavailable):
            keys.find("ec")
    assert len(issuer.asked) == 2


def test_a_token_of_an_unknown_key_is_unavailable_while_the_issuer_is_away(sign: Sign, issuer: Issuer) -> None:
    issuer.error = OSError("connection to 10.0.0.1 refused")
    with pytest.raises(Unavailable) as caught:
        Verifier(ISSUER, AUDIENCE, KeySet(ISSUER, KEYS_URL, fetch=issuer)).caller(f"Bearer {sign()}")
    assert "10.0.0.1" not in caught.value.detail


@pytest.mark.parametrize(
    "error",
    [
        OSError(),
        TimeoutError(),
        ConnectionResetError(),
        ValueError("no JSON"),
        json.JSONDecodeError("no JSON", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no UTF-8"),
        RecursionError(),
        http.client.IncompleteRead(b""),
        http.client.BadStatusLine("x"),
        http.client.InvalidURL("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_goes_wrong_at_the_issuer_is_unavailable(keys: KeySet, issuer: Issuer, error: Exception) -> None:
    issuer.error = error
    with pytest.raises(Unavailable):
        keys.find("rsa")


MALFORMED_KEYS: dict[str, Callable[[], object]] = {
    "null": lambda: None,
    "a number": lambda: 5,
    "a text": lambda: "rsa",
    "a list": list,
    "nothing": dict,
    "no kid": lambda: jwk("ec", kid=None),
    "kid is a list": lambda: jwk("ec", kid=["rsa"]),
    "kid is a number": lambda: jwk("ec", kid=7),
    "a type of another kind": lambda: {"kty": [], "kid": "bad"},
    "an unknown type": lambda: {"kty": "quantum", "kid": "bad"},
    "a shared secret": lambda: {"kty": "oct", "kid": "bad", "k": "AAAA"},
    "no numbers": lambda: {"kty": "RSA", "kid": "bad"},
    "numbers as numbers": lambda: {"kty": "RSA", "kid": "bad", "n": 5, "e": 3},
    "broken base64": lambda: jwk("rsa", kid="bad", n="!!!"),
    "an exponent of 0": lambda: jwk("rsa", kid="bad", e="AA"),
    "a tiny modulus": lambda: jwk("rsa", kid="bad", n="AQ"),
    "a point off the curve": lambda: jwk("ec", kid="bad", x=jwk("ec")["y"]),
    "an unknown curve": lambda: jwk("ec", kid="bad", crv="P-999"),
    "a curve of another kind": lambda: jwk("ec", kid="bad", crv=[]),
    "a curve for key agreement": lambda: {"kty": "OKP", "kid": "bad", "crv": "X25519", "x": "A" * 43},
    "an algorithm for encryption": lambda: jwk("rsa", kid="bad", alg="RSA-OAEP"),
    "an algorithm for secrets": lambda: jwk("rsa", kid="bad", alg="HS256"),
    "the algorithm none": lambda: jwk("rsa", kid="bad", alg="none"),
    "algorithms": lambda: jwk("rsa", kid="bad", alg=["RS256"]),
    "algorithm objects": lambda: jwk("rsa", kid="bad", alg={}),
    "uses": lambda: jwk("rsa", kid="bad", use=["sig"]),
}


@pytest.mark.parametrize("malformed", MALFORMED_KEYS.values(), ids=MALFORMED_KEYS)
def test_a_malformed_key_is_skipped(malformed: Callable[[], object], issuer: Issuer, keys: KeySet) -> None:
    issuer.publish(malformed(), jwk("rsa"), malformed())
    assert keys.find("rsa")
    assert keys.find("bad") is None


@pytest.mark.parametrize("document", [None, 5, "keys", [], [{}], {}, {"keys": None}, {"keys": 5}, {"keys": "rsa"}])
def test_a_broken_key_document_leaves_the_known_keys(
    document: object, issuer: Issuer, keys: KeySet, clock: Clock
) -> None:
    assert keys.find("rsa")
    issuer.documents[KEYS_URL] = document
    clock.time += HOUR + 1
    assert keys.find("rsa")
    with pytest.raises(Unavailable):
        keys.find("ec")


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.just("RSA"),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["keys", "kty", "kid", "n", "e", "alg", "use"]), inner)
        ),
    )
)
def test_any_key_document_is_survived(document: object) -> None:
    issuer = Issuer()
    issuer.documents[KEYS_URL] = document
    try:
        assert KeySet(ISSUER, KEYS_URL, fetch=issuer).find("rsa") is None
    except Unavailable:
        pass


# Where the keys are.


@pytest.fixture
def discovered(issuer: Issuer, clock: Clock) -> KeySet:
    issuer.documents[DISCOVERY_URL] = {"issuer": ISSUER, "jwks_uri": KEYS_URL}
    return KeySet(ISSUER, fetch=issuer, clock=clock)


def test_the_key_address_is_discovered_once(discovered: KeySet, issuer: Issuer, clock: Clock) -> None:
    assert discovered.find("rsa")
    clock.time += HOUR + 1
    assert discovered.find("rsa")
    assert issuer.asked.count(KEYS_URL) == 2
    assert issuer.asked[:2] == [DISCOVERY_URL, KEYS_URL]


def test_an_issuer_with_a_trailing_slash_is_asked_without_a_double_one() -> None:
    issuer = Issuer(jwk("rsa"))
    issuer.documents[DISCOVERY_URL] = {"issuer": f"{ISSUER}/", "jwks_uri": KEYS_URL}
    assert KeySet(f"{ISSUER}/", fetch=issuer).find("rsa")


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example", "jwks_uri": KEYS_URL},
        {"issuer": f"{ISSUER}/", "jwks_uri": KEYS_URL},
        {"issuer": [ISSUER], "jwks_uri": KEYS_URL},
        {"jwks_uri": KEYS_URL},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": None},
        {"issuer": ISSUER, "jwks_uri": [KEYS_URL]},
        {"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": "https://["},
        {"issuer": ISSUER, "jwks_uri": "/keys"},
        {},
        [],
        None,
    ],
    ids=json.dumps,
)
def test_a_discovery_that_cannot_be_trusted_is_refused_and_may_be_mended(
    document: object, discovered: KeySet, issuer: Issuer, clock: Clock
) -> None:
    mended, issuer.documents[DISCOVERY_URL] = issuer.documents[DISCOVERY_URL], document
    with pytest.raises(Unavailable):
        discovered.find("rsa")
    assert issuer.asked == [DISCOVERY_URL]
    issuer.documents[DISCOVERY_URL] = mended
    clock.time += MINUTE + 1
    assert discovered.find("rsa")


LOOPBACK = ["http://localhost:9000/keys", "http://127.0.0.1/keys", "http://[::1]:9000/keys", "http://LOCALHOST/keys"]
ELSEWHERE = [
    "http://issuer.example/keys",
    "http://localhost.evil.example/keys",
    "http://127.0.0.1.evil.example/keys",
    "http://localhost@evil.example/keys",
    "http://evil.example/?localhost",
    "ftp://localhost/keys",
    "file:///etc/passwd",
    "//localhost/keys",
    "data:application/json,{}",
]


@pytest.mark.parametrize(
    ("url", "allow", "asked"),
    [
        *itertools.product(LOOPBACK, [True], [True]),
        *itertools.product(LOOPBACK, [False], [False]),
        *itertools.product(ELSEWHERE, [True, False], [False]),
        *itertools.product([KEYS_URL, "HTTPS://issuer.example/keys"], [True, False], [True]),
    ],
)
def test_keys_travel_by_https_or_within_a_local_run(url: str, allow: bool, asked: bool) -> None:
    issuer = Issuer()
    issuer.documents[url] = {"keys": [jwk("rsa")]}
    keys = KeySet(ISSUER, url, allow_loopback_http=allow, fetch=issuer)
    if asked:
        assert keys.find("rsa")
    else:
        with pytest.raises(Unavailable):
            keys.find("rsa")
    assert issuer.asked == [url] * asked
