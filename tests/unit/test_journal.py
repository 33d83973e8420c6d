"""The journal of items: what is written is read again, and what was not written as it stands is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from local.emulator.disk import Disk
from local.emulator.journal import DamagedJournalError, Journal, Position

if TYPE_CHECKING:
    from pathlib import Path

ITEM = {"id": {"S": "one"}}


def opened(path: Path, expected: Position | None = None) -> Journal:
    return Journal(path, Disk(path.parent, reserve=0), expected)


def items(journal: Journal) -> dict[str, Any]:
    table: dict[str, Any] = {"TableId": "table"}
    journal.fill([table])
    journal.close()
    return {key: sorted_items[""] for key, sorted_items in table["items"].items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of two items."""
    journal = opened(tmp_path / "items.jsonl")
    for key in ("one", "two"):
        journal.append(("table", key, "", ITEM))
    journal.close()
    return tmp_path / "items.jsonl"


def line(text: bytes) -> bytes:
    return b"%08x %b\n" % (crc32(text), text)


def test_what_is_written_is_read(path: Path) -> None:
    assert items(opened(path)) == {"one": ITEM, "two": ITEM}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_that_was_not_finished_is_as_if_it_had_not_been_begun(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    assert items(opened(path)) == {"one": ITEM}
    assert items(opened(path)) == {"one": ITEM}


@pytest.mark.parametrize(
    "added",
    [
        b'[["table","three","",{}]]\n',  # without a checksum
        line(b'[["table","three","",5]]'),
        line(b'[[[],"three","",{}]]'),
        line(b'[["table",3,"",{}]]'),
        line(b'[["table","three",""]]'),
        line(b'{"journal":"x","position":1}'),
        line(b'"table"'),
        line(b"[["),
        line(b"\xff"),
        b"\n",
        b"0 0\n",
    ],
)
def test_a_line_of_another_shape_is_named(path: Path, added: bytes) -> None:
    before = path.read_bytes()
    path.write_bytes(before + added)
    with pytest.raises(DamagedJournalError, match=f"{path} is damaged in line 4"):
        opened(path)
    assert path.read_bytes() == before + added


def test_a_flipped_bit_anywhere_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedJournalError):
            opened(path)


def test_a_journal_that_lost_its_end_is_told_from_one_that_is_whole(path: Path) -> None:
    journal = opened(path)
    journal.append(("table", "three", "", ITEM))
    unsynced = journal.position
    journal.sync()
    journal.close()
    opened(path, journal.position).close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + b"unfinished")
    with pytest.raises(DamagedJournalError, match="shorter"):
        opened(path, journal.position)
    assert path.read_bytes().endswith(b"unfinished")
    opened(path, unsynced).close()


def test_a_compacted_journal_goes_on_where_it_was(path: Path) -> None:
    journal = opened(path)
    for _ in range(20):
        journal.append(("table", "two", "", ITEM))
    journal.sync()
    before = journal.position
    journal.close()
    compacted = opened(path, before)
    assert compacted.was_rewritten
    assert compacted.position.journal == before.journal
    assert compacted.position.position >= before.position
    assert items(compacted) == {"one": ITEM, "two": ITEM}
