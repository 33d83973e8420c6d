"""The issuer's public keys: found, kept, renewed, and never asked for more often than needed."""

import http.client
import itertools
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagetrail.errors import Unavailable
from imagetrail.tokens import KeySet, Verifier
from tests.unit.signing import AUDIENCE, DISCOVERY_URL, HOUR, ISSUER, KEYS_URL, MINUTE, Clock, Issuer, jwk, sign


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


def test_a_token_of_an_unknown_key_is_unavailable_while_the_issuer_is_away(issuer: Issuer) -> None:
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


@settings(max_examples=100)
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
    with suppress(Unavailable):
        assert KeySet(ISSUER, KEYS_URL, fetch=issuer).find("rsa") is None


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
