"""The engine's segments as immutable objects on S3, and a bounded copy of them on this machine.

A state of a shard is a folder of hard links to the files of its parts, with the engine's own list of segments beside.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import orjson

from imagetrail.search.manifest import Manifest, Part, shard_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from imagetrail.s3 import Bucket

_META = "meta.json"


class MissingPartError(Exception):
    """A part has been deleted: the manifest that named it is no longer the current one."""


class Segments:
    """Parts by key; `folder` is where copies are kept, `executor` fetches them side by side."""

    def __init__(self, bucket: Bucket, folder: Path, executor: Executor) -> None:
        self._bucket, self._folder, self._executor = bucket, folder, executor

    def fetch(self, shard: int, manifest: Manifest) -> int:
        """Makes every part of this state local, and forgets those of earlier ones; returns its bytes.

        Raises MissingPartError and Unavailable.
        """
        held = self._parts(shard)
        held.mkdir(parents=True, exist_ok=True)
        names = {_local(part): part for part in manifest.parts.values()}
        absent = [name for name in names if not (held / name).exists()]
        list(self._executor.map(lambda name: self._download(held / name, names[name]), absent))
        for stale in [folder for folder in held.iterdir() if folder.name not in names]:
            shutil.rmtree(stale, ignore_errors=True)
        return sum(sum(part.files.values()) for part in names.values())

    @contextmanager
    def opened(self, shard: int, manifest: Manifest) -> Iterator[Path]:
        """A folder that the engine can open, and change, for as long as the block lasts."""
        base = self._folder / "open"
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as name:
            folder = Path(name)
            for part in manifest.parts.values():
                for file in part.files:
                    (folder / file).hardlink_to(self._parts(shard) / _local(part) / file)
            if manifest.meta is not None:
                (folder / _META).write_bytes(orjson.dumps(manifest.meta))
            yield folder

    def stored(self, shard: int, folder: Path, before: Manifest) -> Manifest:
        """Puts what the engine has added to a folder; the manifest that names it, to be swapped in by the caller."""
        meta = orjson.loads((folder / _META).read_bytes())
        parts: dict[str, Part] = {}
        for segment in meta["segments"]:
            for name, files in _files(folder, segment):
                parts[name] = before.parts.get(name) or self._upload(shard, files)
        return replace(before, meta=meta, parts=parts)

    def forget(self, shard: int) -> None:
        """Frees the local copy of a shard; what is open stays readable."""
        shutil.rmtree(self._parts(shard), ignore_errors=True)

    def _parts(self, shard: int) -> Path:
        return self._folder / f"{shard:04}"

    def _download(self, folder: Path, part: Part) -> None:
        body = self._bucket.get(part.key)
        if body is None:
            raise MissingPartError(part.key)
        _place(folder, part.files, body)

    def _upload(self, shard: int, files: list[Path]) -> Part:
        bodies = {file.name: file.read_bytes() for file in files}
        part = Part(f"{shard_prefix(shard)}{uuid4().hex}", {name: len(body) for name, body in bodies.items()})
        whole = b"".join(bodies.values())
        self._bucket.put(part.key, whole, "application/octet-stream", cache_control="private", tags={})
        _place(self._parts(shard) / _local(part), part.files, whole)
        return part


def _files(folder: Path, segment: dict[str, object]) -> Iterator[tuple[str, list[Path]]]:
    """The names under which a segment's own files, and the list of its deleted documents, are kept."""
    name = UUID(str(segment["segment_id"])).hex
    files = sorted(folder.glob(f"{name}.*"))
    yield name, [file for file in files if file.suffix != ".del"]
    deletes = segment["deletes"]
    if isinstance(deletes, dict):
        current = f"{name}.{deletes['opstamp']}.del"
        yield f"{current} {deletes['num_deleted_docs']}", [folder / current]


def _place(folder: Path, files: dict[str, int], body: bytes) -> None:
    """Writes the files of a part, all or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent.parent))
    start = 0
    for name, length in files.items():
        (fresh / name).write_bytes(body[start : start + length])
        start += length
    try:
        fresh.rename(folder)
    except OSError:  # another thread or process has placed the same part
        shutil.rmtree(fresh, ignore_errors=True)
        if not folder.exists():
            raise


def _local(part: Part) -> str:
    return part.key.rpartition("/")[2]
