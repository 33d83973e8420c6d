"""Files with a table of images, read row by row in constant memory.

Read are CSV in its many dialects, PostgreSQL's COPY and pg_dump in plain text, psql -A, JSON of row_to_json and
json_agg, and the exports of imagetrail; each also compressed by gzip. `dialects` says how they are recognized.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Literal, cast

from cli import delimited, dialects, dumps, json_rows
from cli.columns import is_own
from cli.encodings import text_of
from cli.fetching import NotFetched
from imagetrail.exporting import NAME
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import TextIOWrapper
    from pathlib import Path

    from cli.columns import Row

LARGEST_PICTURE = 100_000_000
_LARGEST_UNPACKED, _RATIO, _ALWAYS = 1 << 36, 100, 1 << 26
_BINARY = (
    (b"PGDMP", "pg_dump's custom format; make text of it first: pg_restore -f dump.sql FILE"),
    (b"PGCOPY\n", "COPY's binary format; use its text or CSV format"),
    (b"PAR1", "Parquet; make CSV of it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV UTF-8 first"),
    (b"SQLite format 3\0", "a SQLite database; export the table as CSV first"),
    (b"BZh", "compressed by bzip2; unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ\0", "compressed by xz; unpack it first: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first: unzstd FILE"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
)
_MARKUP = ("<!doctype", "<html", "<?xml", "<table")
Format = Literal["csv", "text", "unaligned", "dump", "json", "copied-json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is known of a file before it is read; None where it is to be recognized."""

    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    ignore_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file. `is_own` says that it is an export of imagetrail; `picture` reads what lies beside them by
    its key, or raises NotFetched; `done` is how much of the file was read, a share of 1; `note` is what was assumed."""

    rows: Iterator[Row]
    is_own: bool
    done: Callable[[], float]
    picture: Callable[[str], bytes | None]
    note: str = ""


@contextmanager
def opened(path: Path, columns: tuple[str, ...] | None = None, options: Options | None = None) -> Iterator[Table]:
    """The table in a file; `columns` are those of a file without a header. Raises ProblemError."""
    options = options or Options()
    with ExitStack() as held:
        with _named(path):
            table = _table(path, columns, options, held)
        yield table


def _table(path: Path, columns: tuple[str, ...] | None, options: Options, held: ExitStack) -> Table:
    if not path.is_file():
        raise ProblemError(f"{path} is not a regular file; save the table in one first")
    file: IO[bytes] = held.enter_context(path.open("rb"))
    beginning, size = file.read(8), max(path.stat().st_size, 1)
    file.seek(0)
    picture: Callable[[str], bytes | None] = _no_picture
    content, read = file, file.tell
    if beginning.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        content, size, picture = _archived(held.enter_context(zipfile.ZipFile(file)))
        read = content.tell
    elif beginning.startswith(b"\x1f\x8b"):
        content = cast("IO[bytes]", held.enter_context(_Unpacked(file, size)))
    rows, own, note = _rows(content, columns, options, held)
    return Table(_whole(rows, path), own, lambda: min(read() / size, 1.0), picture, note)


def _no_picture(_key: str) -> None:
    return None


def _whole(rows: Iterator[Row], path: Path) -> Iterator[Row]:
    with _named(path):
        yield from rows


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """One sentence about a file that cannot be read to its end."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ProblemError(f"{path} is not {error.encoding} throughout, or is cut off") from None
    except UnicodeError as error:
        raise ProblemError(f"{path} is not in the encoding that was given: {error}") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error):
        raise ProblemError(f"{path} is damaged or incomplete") from None
    except NotImplementedError:
        raise ProblemError(f"{path} is an archive of a kind that is not read; unpack it first") from None
    except OSError as error:
        raise ProblemError(f"{path} cannot be read: {error.strerror or error}") from None


class _Unpacked(gzip.GzipFile):
    """A gzip file of a length that its size explains."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._longest = min(_LARGEST_UNPACKED, max(_ALWAYS, size * _RATIO))

    def read(self, size: int | None = -1) -> bytes:
        return self._bounded(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._bounded(super().read1(size))

    def _bounded(self, data: bytes) -> bytes:
        if self.tell() > self._longest:
            raise ProblemError(f"the file unpacks to more than {self._longest:,} bytes; unpack it first: gunzip FILE")
        return data


def _archived(archive: zipfile.ZipFile) -> tuple[IO[bytes], int, Callable[[str], bytes | None]]:
    names = set(archive.namelist())
    if f"{NAME}.csv" not in names:
        if "[Content_Types].xml" in names or "mimetype" in names:
            raise ProblemError("this is a workbook; save its sheet as CSV UTF-8 first")
        raise ProblemError(f"the archive has no {NAME}.csv; unpack it and give the file with the table")
    if archive.getinfo(f"{NAME}.csv").flag_bits & 1:
        raise ProblemError("the archive is encrypted; unpack it first")
    return (
        archive.open(f"{NAME}.csv"),
        max(archive.getinfo(f"{NAME}.csv").file_size, 1),
        lambda key: _picture(archive, key) if key in names else None,
    )


def _picture(archive: zipfile.ZipFile, key: str) -> bytes:
    found = archive.getinfo(key)
    if found.file_size > LARGEST_PICTURE:
        raise NotFetched(f"{key} in the archive has more than {LARGEST_PICTURE:,} bytes")
    if found.flag_bits & 1:
        raise NotFetched(f"{key} in the archive is encrypted")
    try:
        return archive.read(found)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise NotFetched(f"{key} in the archive is damaged") from None


def _rows(
    file: IO[bytes], columns: tuple[str, ...] | None, options: Options, held: ExitStack
) -> tuple[Iterator[Row], bool, str]:
    """The rows, whether they are an export of imagetrail, and what was assumed."""
    beginning = file.read(512)
    if not beginning:
        raise ProblemError("the file is empty: not even a header is in it")
    for magic, what in _BINARY:
        if beginning.startswith(magic):
            raise ProblemError(f"this is {what}")
    if beginning[257:262] == b"ustar":
        raise ProblemError("this is a tar archive; of pg_dump's, make text first: pg_restore -f dump.sql FILE")
    if beginning.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        raise ProblemError("the file is packed twice; unpack it first")
    text, note = text_of(file, options.encoding)
    held.callback(text.close)
    rows, own = _formatted(text, columns, options)
    return rows, own, note


def _formatted(text: TextIOWrapper, columns: tuple[str, ...] | None, options: Options) -> tuple[Iterator[Row], bool]:
    start = text.read(1 << 14).lstrip()
    if not start:
        raise ProblemError("the file is empty: not even a header is in it")
    if "\0" in start:
        raise ProblemError("the file is not text: it holds zero bytes")
    if start.lower().startswith(_MARKUP):
        raise ProblemError("this is HTML or XML; export the table as CSV")
    kind, ignore_unknown = options.format, options.ignore_unknown
    if kind == "dump" or (kind is None and dumps.looks_like_dump(start)):
        text.seek(0)
        return dumps.rows(text, ignore_unknown=ignore_unknown), False
    if kind in ("json", "copied-json") or (kind is None and json_rows.looks_like_json(start)):
        text.seek(0)
        copied = json_rows.detected_copied(text) if kind is None else kind == "copied-json"
        text.seek(0)
        return json_rows.rows(text, copied=copied, ignore_unknown=ignore_unknown)
    style = kind if kind in ("csv", "text", "unaligned") else None
    layout = dialects.recognized(text, dialects.Choice(style, options.delimiter, columns, ignore_unknown))
    text.seek(0)
    if layout.has_sep:
        text.readline()
    lines = layout.dialect.lines(text.readline, int(layout.has_sep))
    own = is_own(layout.columns)
    return delimited.rows(islice(lines, int(layout.has_header), None), layout.dialect, layout.columns, own=own), own
