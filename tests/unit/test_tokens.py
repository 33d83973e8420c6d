"""Bearer tokens: what the issuer signed for this service is a caller, everything else is 401."""

import base64
import json
import math
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import Unauthenticated
from imagetrail.tokens import KeySet, Verifier
from tests.unit.signing import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    KEYS_URL,
    SECRET,
    Clock,
    Document,
    Issuer,
    jwk,
    private,
    public_bytes,
    segment,
    sign,
)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    issuer = Issuer(
        jwk("rsa"), jwk("ec"), jwk("ed"), jwk("p384"), jwk("rsa-enc", use="enc"), jwk("rsa-512", alg="RS512")
    )
    return Verifier(ISSUER, AUDIENCE, KeySet(ISSUER, KEYS_URL, fetch=issuer, clock=Clock()))


@pytest.fixture(scope="module")
def sharing() -> Verifier:
    """A verifier that also knows a shared secret."""
    keys = KeySet(ISSUER, KEYS_URL, fetch=Issuer(jwk("rsa")), clock=Clock())
    return Verifier(ISSUER, AUDIENCE, keys, lambda: SECRET)


def refused(verifier: Verifier, authorization: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier.caller(authorization)
    assert not [part for part in authorization.split(".") if len(part) > 20 and part in caught.value.detail]


@pytest.mark.parametrize(
    ("kind", "alg"),
    [("rsa", "RS256"), ("rsa", "PS384"), ("rsa-512", "RS512"), ("ec", "ES256"), ("p384", "ES384"), ("ed", "EdDSA")],
)
def test_each_asymmetric_algorithm_of_the_issuer_is_accepted(verifier: Verifier, kind: str, alg: str) -> None:
    token = sign(key=private(kind), alg=alg, header={"kid": kind})
    assert verifier.caller(f"Bearer {token}") == Caller("alice")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": AUDIENCE},
        {"aud": ["other", AUDIENCE]},
        {"aud": ABSENT, "client_id": AUDIENCE, "token_use": "access"},
        {"typ": "Bearer"},
        {"typ": "ID", "nonce": "n-0S6_WzA2Mj", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
        {"exp": time.time() + 86400.5},
        {"nbf": int(time.time()) - 60},
        {"email": "alice@example.com", "groups": None, "cognito:groups": {}},
    ],
    ids=[
        "audience",
        "audiences",
        "cognito access",
        "keycloak",
        "keycloak id",
        "fractional exp",
        "nbf in the past",
        "odd groups",
    ],
)
def test_a_token_for_this_service_is_its_subject(verifier: Verifier, claims: Document) -> None:
    assert verifier.caller(f"Bearer {sign(**claims)}") == Caller("alice")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_is_read_in_any_case(verifier: Verifier, scheme: str) -> None:
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
    verifier: Verifier, claim: str, groups: Any, is_admin: bool
) -> None:
    assert verifier.caller(f"Bearer {sign(**{claim: groups})}") == Caller("alice", is_admin=is_admin)


@pytest.mark.parametrize("claim", ["admin", "role", "roles", "scope", "custom:groups", "cognito:roles"])
def test_no_other_claim_makes_an_admin(verifier: Verifier, claim: str) -> None:
    claims: Document = {claim: ["admin"]}
    assert not verifier.caller(f"Bearer {sign(**claims)}").is_admin


@pytest.mark.parametrize(
    "subject", ["anonymous", "*", "auth0|x", "user:anonymous", "Ünïcødé-用户-🦊", " ", "None", "a b/c#d", "x" * 255]
)
def test_an_odd_subject_is_an_ordinary_user(verifier: Verifier, subject: str) -> None:
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
def test_an_unsigned_token_is_refused(verifier: Verifier, alg: object, signature: str) -> None:
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
    request: pytest.FixtureRequest, alg: str, forged: Callable[[], bytes], configured: str
) -> None:
    refused(request.getfixturevalue(configured), f"Bearer {sign(key=forged(), alg=alg)}")


def test_a_shared_secret_counts_only_where_one_is_configured(verifier: Verifier, sharing: Verifier) -> None:
    token = sign(key=SECRET.encode(), alg="HS256", header={"kid": ABSENT})
    assert sharing.caller(f"Bearer {token}") == Caller("alice")
    refused(verifier, f"Bearer {token}")


def test_public_keys_still_count_beside_a_shared_secret(sharing: Verifier) -> None:
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
    sharing: Verifier, claims: Document, alg: str, secret: str
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
    "subject with NUL": {"sub": "alice\0"},
    "subject with a line feed": {"sub": "alice\n"},
    "subject with a C1 control": {"sub": "al\x85ice"},
    "long subject": {"sub": "x" * 256},
    "long subject in bytes": {"sub": "🦊" * 255},
    "subject with half a character": {"sub": "alice\ud800"},
    "refresh token": {"token_use": "refresh"},
    "cognito ID token": {"token_use": "id"},
    "logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    "security event token": {"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}},
    "no events": {"events": None},
    "bound to a DPoP key": {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    "bound to a certificate": {"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}},
    "keycloak refresh token": {"typ": "Refresh"},
    "keycloak logout token": {"typ": "Logout"},
    "odd keycloak type": {"typ": ["Bearer"]},
    "odd token use": {"token_use": ["access"]},
    "null token use": {"token_use": None},
    "token id is a number": {"jti": 5},
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_a_claim_that_does_not_fit_is_refused(verifier: Verifier, claims: Document) -> None:
    refused(verifier, f"Bearer {sign(**claims)}")


@settings(max_examples=150)
@given(
    name=st.sampled_from(["aud", "client_id", "iss", "exp", "nbf", "iat", "sub", "jti", "token_use", "groups"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=4,
    ),
)
def test_any_value_of_any_claim_is_a_user_or_refused(verifier: Verifier, name: str, value: Any) -> None:
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
def test_a_key_id_only_selects_a_fitting_key(verifier: Verifier, header: Document) -> None:
    refused(verifier, f"Bearer {sign(header=header, key=private('rsa-enc') if header['kid'] == 'rsa-enc' else None)}")


@pytest.mark.parametrize(
    ("kind", "alg"), [("ec", "RS256"), ("ec", "ES384"), ("rsa", "ES256"), ("ed", "ES256"), ("p384", "ES256")]
)
def test_a_signature_counts_only_for_the_algorithm_of_its_key(verifier: Verifier, kind: str, alg: str) -> None:
    honest = {"ec": "ES256", "rsa": "RS256", "ed": "EdDSA", "p384": "ES384"}[kind]
    head, payload, signature = sign(key=private(kind), alg=honest, header={"kid": kind}).split(".")
    lie = segment(json.dumps({"alg": alg, "kid": kind}).encode())
    refused(verifier, f"Bearer {lie}.{payload}.{signature}")
    assert head != lie


def test_a_key_that_names_its_algorithm_serves_no_other(verifier: Verifier) -> None:
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
def test_a_key_that_the_token_brings_along_is_not_believed(header: Callable[[], Document]) -> None:
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
        {"b64": True},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A256GCM"},
    ],
)
def test_a_critical_header_that_is_not_understood_is_refused(verifier: Verifier, header: Document) -> None:
    refused(verifier, f"Bearer {sign(header=header)}")


def test_an_encrypted_token_is_refused(verifier: Verifier) -> None:
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
def test_a_signed_payload_that_holds_no_claims_is_refused(verifier: Verifier, payload: bytes) -> None:
    refused(verifier, f"Bearer {sign(payload=payload)}")


@pytest.mark.parametrize("again", ['"sub":"alice"', '"sub":"bob"', '"exp":1', '"groups":["admin"],"groups":[]'])
def test_a_duplicate_claim_is_refused(verifier: Verifier, again: str) -> None:
    """RFC 7519, section 4: two parsers could read two different callers."""
    claims = f'"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{int(time.time()) + 60},"sub":"alice"'
    assert verifier.caller(f"Bearer {sign(payload=f'{{{claims}}}'.encode())}") == Caller("alice")
    refused(verifier, f"Bearer {sign(payload=f'{{{claims},{again}}}'.encode())}")


def test_a_duplicate_header_is_refused(verifier: Verifier) -> None:
    head = segment(b'{"alg":"RS256","kid":"rsa","typ":"logout+jwt","typ":"JWT"}')
    message = f"{head}.{sign().split('.')[1]}"
    signature = jwt.get_algorithm_by_name("RS256").sign(message.encode(), private("rsa"))
    refused(verifier, f"Bearer {message}.{segment(signature)}")


@pytest.mark.parametrize(
    "typ", [ABSENT, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt", "application/jwt"]
)
def test_the_type_of_an_access_token_is_accepted(verifier: Verifier, typ: object) -> None:
    assert verifier.caller(f"Bearer {sign(header={'typ': typ})}") == Caller("alice")


@pytest.mark.parametrize(
    "typ",
    [
        "logout+jwt", "application/logout+jwt", "LOGOUT+JWT", "secevent+jwt", "dpop+jwt", "token-introspection+jwt",
        "oauth-authz-req+jwt", "client-authentication+jwt", "entity-statement+jwt", "vc+sd-jwt", "kb+jwt", "JOSE",
        "at+jwt ", "text/jwt", "application/application/jwt", "", None, 5, True, ["JWT"], {"JWT": 1},
    ],
)  # fmt: skip
def test_any_other_type_is_refused(verifier: Verifier, sharing: Verifier, typ: object) -> None:
    refused(verifier, f"Bearer {sign(header={'typ': typ})}")
    refused(sharing, f"Bearer {sign(key=SECRET.encode(), alg='HS256', header={'typ': typ})}")


def test_an_empty_audience_is_no_audience() -> None:
    keys = KeySet(ISSUER, KEYS_URL, fetch=Issuer(jwk("rsa")), clock=Clock())
    refused(Verifier(ISSUER, "", keys), f"Bearer {sign(aud='')}")
    refused(Verifier(ISSUER, "", keys), f"Bearer {sign(aud=[''])}")


DEEP = b'{"a":' * 100_000
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
    "deep object header": lambda token: f"Bearer {segment(DEEP)}.{token.partition('.')[2]}",
    "a megabyte of letters": lambda _: "Bearer " + "A" * 1_000_000,
    "a megabyte of dots": lambda _: "Bearer " + "." * 1_000_000,
    "a megabyte of payload": lambda token: f"Bearer {token.partition('.')[0]}.{'A' * 1_000_000}.AAAA",
    "a megabyte of signature": lambda token: f"Bearer {token}{'A' * 1_000_000}",
}


@pytest.mark.parametrize("spell", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_a_header_that_is_no_bearer_token_is_refused(
    verifier: Verifier, sharing: Verifier, spell: Callable[[str], str]
) -> None:
    refused(verifier, spell(sign()))
    refused(sharing, spell(sign(key=SECRET.encode(), alg="HS256")))


@settings(max_examples=200)
@given(st.text() | st.text().map("Bearer {}".format) | st.from_regex(r"Bearer [\w-]*(\.[\w-]*){2}", fullmatch=True))
def test_any_text_is_refused(sharing: Verifier, authorization: str) -> None:
    refused(sharing, authorization)


@settings(max_examples=200)
@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "enc", "zip", "jwk", "cty"]),
        st.none() | st.integers() | st.sampled_from(["RS256", "HS256", "rsa", "ES256"]) | st.lists(st.text()),
    ),
    payload=st.binary(max_size=40),
    signature=st.binary(max_size=40),
)
def test_any_header_is_refused(sharing: Verifier, header: Document, payload: bytes, signature: bytes) -> None:
    token = f"{segment(json.dumps(header).encode())}.{segment(payload)}.{segment(signature)}"
    refused(sharing, f"Bearer {token}")


@pytest.mark.parametrize(("kind", "alg"), [("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")])
def test_no_bit_of_a_token_may_change(verifier: Verifier, kind: str, alg: str) -> None:
    token = sign(key=private(kind), alg=alg, header={"kid": kind})
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
    for number, part in enumerate(parts):
        for at in range(len(part)):
            flipped = part[:at] + bytes([part[at] ^ 1 << at % 8]) + part[at + 1 :]
            spelled = ".".join(segment(piece) for piece in (*parts[:number], flipped, *parts[number + 1 :]))
            refused(verifier, f"Bearer {spelled}")


def test_no_character_of_a_token_may_change(verifier: Verifier) -> None:
    token = sign(key=private("ec"), alg="ES256", header={"kid": "ec"})
    for at, letter in enumerate(token):
        for other in {"A", "_", "=", ".", chr(ord(letter) ^ 1)} - {letter}:
            refused(verifier, f"Bearer {token[:at]}{other}{token[at + 1 :]}")


def test_a_token_of_another_key_with_the_right_id_is_refused(verifier: Verifier) -> None:
    refused(verifier, f"Bearer {sign(key=private('rsa-evil'))}")
