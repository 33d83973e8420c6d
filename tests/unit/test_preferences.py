"""Prefer and Idempotency-Key, as clients really send them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagetrail.errors import Malformed
from imagetrail.preferences import Preferences, idempotency_key


@pytest.mark.parametrize(
    ("header", "respond_async", "wait"),
    [
        ("", False, None),
        ("respond-async", True, None),
        ("Respond-Async", True, None),
        ("wait=10", False, 10),
        ('respond-async, wait="5"', True, 5),
        ("wait=5, wait=9", False, 5),
        ("respond-async; foo=bar, wait = 7", True, 7),
        ("return=minimal, handling=lenient", False, None),
        ("wait", False, None),
        ("wait=-1", False, None),
        ("wait=1.5", False, None),
        ("wait=99999999999999999999", False, None),
        ("respond-asynchronously", False, None),
    ],
)
def test_what_is_known_is_honoured_and_the_rest_ignored(header: str, respond_async: bool, wait: int | None) -> None:
    found = Preferences.parse(header)
    assert found.respond_async is respond_async
    assert found.wait == (None if wait is None else timedelta(seconds=wait))


def test_what_was_applied_is_said() -> None:
    assert Preferences.parse("wait=5,respond-async,x").applied == "respond-async, wait=5"
    assert Preferences.parse("x").applied == ""


@given(st.text())
def test_no_preference_is_an_error(header: str) -> None:
    Preferences.parse(header)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ("abc", "abc"),
        ('"abc"', "abc"),
        (" abc ", "abc"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("a b", "a b"),
        ("k" * 255, "k" * 255),
    ],
)
def test_a_key_is_taken_quoted_or_bare(header: str | None, key: str | None) -> None:
    assert idempotency_key(header) == key


@pytest.mark.parametrize("header", ["", " ", '""', "k" * 256, "schlüssel", "a\tb", '" "'])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(Malformed):
        idempotency_key(header)
