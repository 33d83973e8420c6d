"""The lake: each day's records as one Parquet file, for SQL by Athena."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

import orjson

from imagetrail.analytics.rollup import FORMAT
from imagetrail.analytics.rows import DUCKDB
from imagetrail.multipart import Multipart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.analytics.rows import Row
    from imagetrail.s3 import Bucket, Version

TABLE = "generated_images"
_BUCKETS = 64
_PART_BYTES = 16 * 1024 * 1024
_MEMORY = "256MB"


def key(day: str) -> str:
    """Where the day's file is kept."""
    return f"lake/{TABLE}/day={day}/{TABLE}.parquet"


class Spill:
    """Rows on disk, in as many files as there are buckets: all of an owner's are in one, so that what is made of an
    owner's rows takes the memory of a bucket, however many rows there are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self._owners: set[int] = set()
        self._files: dict[int, IO[bytes]] = {}
        self._open = ExitStack()
        self._hash = hashlib.blake2b(orjson.dumps([FORMAT, DUCKDB]), digest_size=16)

    def add(self, row: Row, owner: str) -> None:
        """Keeps a row."""
        self._owners.add(hash(owner))
        number = zlib.crc32(owner.encode()) % _BUCKETS
        if number not in self._files:
            file = (self.folder / f"{number:02}.ndjson").open("wb")
            self._files[number] = self._open.enter_context(file)
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        self._files[number].write(line)
        self._hash.update(line)
        self.count += 1

    @property
    def digest(self) -> str:
        """The same for the same rows and the same ways to count them."""
        return self._hash.hexdigest()

    def holds(self, owner: str) -> bool:
        """Whether there may be a row of this owner's."""
        return hash(owner) in self._owners

    def close(self) -> None:
        """Ends the writing."""
        self._open.close()

    def buckets(self) -> Iterator[Iterator[Row]]:
        """The rows, bucket by bucket."""
        for file in sorted(self.folder.glob("*.ndjson")):
            with file.open("rb") as lines:
                yield map(orjson.loads, lines)


@contextmanager
def spilling() -> Iterator[Spill]:
    """A spill in a folder of its own, which goes with it."""
    with TemporaryDirectory(prefix="fold-") as folder:
        spill = Spill(Path(folder))
        try:
            yield spill
        finally:
            spill.close()


def to_parquet(spill: Spill) -> Path:
    """The closed spill as one Parquet file beside it, an owner's rows together."""
    import duckdb

    file = spill.folder / "day.parquet"
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in DUCKDB.items())
    read = f"read_json('{spill.folder}/*.ndjson', format = 'newline_delimited', columns = {{{columns}}})"
    with duckdb.connect(
        config={"memory_limit": _MEMORY, "threads": 2, "temp_directory": str(spill.folder)}
    ) as database:
        database.execute(f"COPY (SELECT * FROM {read}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608 (ours)
    return file


@dataclass(frozen=True, slots=True)
class Lake:
    """The files in the bucket. A day's file is replaced at once, and its former versions go for good."""

    bucket: Bucket

    def put(self, day: str, parquet: Path) -> None:
        """Stores a day."""
        multipart, name, tags = Multipart(self.bucket), key(day), list[str]()
        upload = multipart.begin(name, {"content-type": "application/vnd.apache.parquet"})
        with parquet.open("rb") as file:
            while part := file.read(_PART_BYTES):
                tags.append(multipart.put(name, upload, len(tags) + 1, part))
        multipart.complete(name, upload, tags)
        self._delete(self.bucket.versions(name)[1:])

    def delete(self, day: str) -> None:
        """Leaves nothing of a day."""
        self._delete(self.bucket.versions(key(day)))

    def _delete(self, versions: list[Version]) -> None:
        for version in versions:
            self.bucket.delete_version(version)
