"""A ZIP archive, piece by piece: what a process must know to go on with one is a few numbers.

Files are stored as they are, since pictures do not shrink. Each is whole when it is added, so that its checksum and
size stand before it and any reader takes the archive as a stream. Sizes and positions past 4 GB use ZIP64.
Source: PKWARE's APPNOTE 6.3.10, sections 4.3 to 4.5. The libraries for this keep the directory in memory, or in the
process that began: neither can be put down and taken up.
"""

from __future__ import annotations

import struct
import zlib
from datetime import datetime
from typing import NamedTuple

_UTF8 = 0x0800
_LIMIT = 0xFFFFFFFF
_PLAIN, _LARGE = 20, 45
_READABLE = 0o100644 << 16


class Member(NamedTuple):
    """A file of an archive. `at` is the time it shows, ISO 8601."""

    name: str
    size: int
    crc: int
    at: str


def member(name: str, data: bytes, at: str) -> Member:
    """A file whose bytes are at hand."""
    return Member(name, len(data), zlib.crc32(data), at)


def local_header(file: Member) -> bytes:
    """What stands before a file's bytes."""
    name = file.name.encode()
    large = file.size >= _LIMIT
    extra = struct.pack("<HHQQ", 1, 16, file.size, file.size) if large else b""
    size = _LIMIT if large else file.size
    version = _LARGE if large else _PLAIN
    fixed = struct.pack(
        "<4s5H3L2H", b"PK\3\4", version, _UTF8, 0, *_when(file), file.crc, size, size, len(name), len(extra)
    )
    return fixed + name + extra


def directory_entry(file: Member, position: int) -> bytes:
    """What the archive's directory says of a file whose local header is at `position`."""
    name = file.name.encode()
    large_size, large_position = file.size >= _LIMIT, position >= _LIMIT
    numbers = ([file.size, file.size] if large_size else []) + ([position] if large_position else [])
    extra = struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
    size = _LIMIT if large_size else file.size
    version = _LARGE if numbers else _PLAIN
    fixed = struct.pack(
        "<4s6H3L5H2L",
        b"PK\1\2",
        3 << 8 | version,
        version,
        _UTF8,
        0,
        *_when(file),
        file.crc,
        size,
        size,
        len(name),
        len(extra),
        0,
        0,
        0,
        _READABLE,
        _LIMIT if large_position else position,
    )
    return fixed + name + extra


def end(count: int, position: int, size: int) -> bytes:
    """The end of an archive of `count` files, whose directory has `size` bytes and begins at `position`."""
    large = b""
    if count >= 0xFFFF or position >= _LIMIT or size >= _LIMIT:
        large = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, 3 << 8 | _LARGE, _LARGE, 0, 0, count, count, size, position
        ) + struct.pack("<4sLQL", b"PK\6\7", 0, position + size, 1)
    few = min(count, 0xFFFF)
    return large + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, few, few, min(size, _LIMIT), min(position, _LIMIT), 0)


def _when(file: Member) -> tuple[int, int]:
    """Time and date as DOS has them, from 1980 to 2107."""
    moment = datetime.fromisoformat(file.at)
    year = min(max(moment.year, 1980), 2107)
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        (year - 1980) << 9 | moment.month << 5 | moment.day,
    )
