"""Cursors: they lead back to where they were made, for whom they were made, and are refused everywhere else."""

import base64
import string
from datetime import UTC
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagetrail import cursors, moments
from imagetrail.cursors import Position
from imagetrail.errors import InvalidCursor

POSITION = Position("2026-02-02T10:30:00.000000Z", "019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11")
SCOPE = ("user:alice", "own", None, "succeeded", "desc", None, None)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def refused(cursor: str, scope: tuple[str | None, ...] = SCOPE) -> None:
    with pytest.raises(InvalidCursor) as caught:
        cursors.decode(cursor, scope)
    assert (caught.value.status, caught.value.code) == (400, "invalid_cursor")
    assert [field for field, _ in caught.value.errors] == ["cursor"]


POSITIONS = st.builds(
    Position,
    st.datetimes(timezones=st.just(UTC)).map(moments.to_text),
    st.uuids().map(str),
)


@given(POSITIONS, st.lists(st.none() | TEXT).map(tuple))
def test_a_cursor_leads_back(position: Position, scope: tuple[str | None, ...]) -> None:
    cursor = cursors.encode(position, scope)
    assert cursors.decode(cursor, scope) == position
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize("position", [POSITION, Position("2026-02-02", "")])
def test_no_character_of_a_cursor_may_change(position: Position) -> None:
    cursor = cursors.encode(position, SCOPE)
    for at, letter in enumerate(cursor):
        for other in {chr(code) for code in range(256)} - {letter}:
            refused(f"{cursor[:at]}{other}{cursor[at + 1 :]}")
        refused(cursor[:at] + cursor[at + 1 :])


def test_no_byte_of_a_cursor_may_change() -> None:
    cursor = cursors.encode(POSITION, SCOPE)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for at in range(len(raw)):
        for flip in (1, 0x80, 0xFF):
            changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
            refused(base64.urlsafe_b64encode(changed).decode().rstrip("="))


@pytest.mark.parametrize("tail", ["=", "==", "A", "AAAA", " ", "\n", ".", "é"])
def test_nothing_may_be_added_to_a_cursor(tail: str) -> None:
    cursor = cursors.encode(POSITION, SCOPE)
    refused(cursor + tail)
    refused(tail + cursor)


@pytest.mark.parametrize("place", range(len(SCOPE)))
@pytest.mark.parametrize("other", ["user:bob", "anonymous", "None", "null", "", "all", "asc", "failed"])
def test_a_cursor_serves_no_other_caller_and_no_other_filter(place: int, other: str) -> None:
    refused(cursors.encode(POSITION, SCOPE), (*SCOPE[:place], other, *SCOPE[place + 1 :]))


@pytest.mark.parametrize("scope", [(), SCOPE[:-1], (*SCOPE, None), tuple(reversed(SCOPE)), ("datasets", "user:alice")])
def test_a_cursor_serves_no_other_list(scope: tuple[str | None, ...]) -> None:
    refused(cursors.encode(POSITION, SCOPE), scope)


@pytest.mark.parametrize("position", [(), ("a",), ("a", "b", "c"), (1, 2), ("a", None), ("a", ["b"]), ({}, "b")])
def test_a_forged_position_of_another_shape_is_refused(position: Any) -> None:
    """The digest needs no secret, so anybody with the source can make one."""
    refused(cursors.encode(cast("Position", position), SCOPE))


@given(TEXT | st.from_regex(r"[\w-]*=*", fullmatch=True))
def test_any_other_text_is_refused(text: str) -> None:
    refused(text)
