"""Archives as other programs read them."""

from __future__ import annotations

import io
import subprocess
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagetrail import archives
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-02-03T10:30:42.000000Z"


def archive(files: list[tuple[str, bytes]]) -> bytes:
    body, directory = b"", b""
    for name, data in files:
        file = archives.member(name, data, AT)
        directory += archives.directory_entry(file, len(body))
        body += archives.local_header(file) + data
    return body + directory + archives.end(len(files), len(body), len(directory))


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_an_archive_reads_back(contents: list[bytes]) -> None:
    files = [(f"images/{number}-ö.png", data) for number, data in enumerate(contents)]
    with zipfile.ZipFile(io.BytesIO(archive(files))) as read:
        assert read.testzip() is None
        assert [(info.filename, read.read(info)) for info in read.infolist()] == files
        assert all(info.date_time == (2026, 2, 3, 10, 30, 42) for info in read.infolist())


@pytest.mark.needs("unzip")
def test_unzip_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(archive([("a.txt", b"a"), ("images/b.png", b"b" * 70_000)]))
    subprocess.run([str(program("unzip")), "-tqq", str(path)], check=True)


def test_many_files_and_far_positions_use_zip64() -> None:
    far = 5_000_000_000
    file = archives.Member("big.csv", far, zlib.crc32(b""), AT)
    entry = archives.directory_entry(file, far + 1) * 70_000

    class Sparse(io.BytesIO):
        """The end of an archive whose beginning is somewhere else: positions are those of the whole."""

        def seek(self, offset: int, whence: int = 0) -> int:
            return super().seek(offset - start if whence == 0 else offset, whence) + start

        def tell(self) -> int:
            return super().tell() + start

    start = 3 * far
    tail = Sparse(entry + archives.end(70_000, start, len(entry)))
    with zipfile.ZipFile(tail) as read:
        infos = read.infolist()
    assert len(infos) == 70_000
    assert {(info.file_size, info.header_offset) for info in infos} == {(far, far + 1)}


def test_a_large_file_says_its_size_before_its_bytes() -> None:
    header = archives.local_header(archives.Member("big.csv", 5_000_000_000, 7, AT))
    assert header[18:26] == b"\xff" * 8
    assert header.endswith((5_000_000_000).to_bytes(8, "little") * 2)
