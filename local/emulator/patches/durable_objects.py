"""Reports S3 objects that cannot be written or read, and keeps none of them in memory.

The emulator answers 200 when it could not write an object (a full disk), returns an empty body when the file of an
object is gone, and holds the bytes of every version of every object in memory for as long as it runs. Here a failed
write is noted, so that the request is answered with 503; a file that is missing or differs from what was stored is an
error that names it; and bytes that are on disk are read from there. Upstream: the same.
"""

import errno
import hashlib
import os
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import s3

from local.emulator.context import Context
from local.emulator.objects import SIDECAR, with_checksum

TARGETS = {
    "ministack.services.s3._atomic_write": "24958052a85f",
    "ministack.services.s3._in_account": "48f6799e81a6",
    "ministack.services.s3._object_disk_path": "0a7ed55714d9",
    "ministack.services.s3._persist_delete_marker": "3181a2382f87",
    "ministack.services.s3._persist_displaced_version": "9637289a604c",
    "ministack.services.s3._persist_object": "cb32b6ae8706",
    "ministack.services.s3._persist_version_state": "7490600cbb08",
    "ministack.services.s3._read_body": "596e56d63502",
    "ministack.services.s3._record_delete_marker": "38fd10001d9b",
    "ministack.services.s3._record_object_version": "9af490c3d6ff",
    "ministack.services.s3._version_disk_path": "3b946e67ea1b",
    "ministack.services.s3._version_body": "914e6f75ad9f",
}

_NO_LINKS = {errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV}
Persist = Callable[..., None]

_MD5 = re.compile(r'"([0-9a-f]{32})"')


class DamagedObjectError(Exception):
    """The file of an object is not what was stored."""


# The error that stopped the write under way; a persisting function of the emulator catches what it raises itself.
_error: ContextVar[OSError | None] = ContextVar("error", default=None)
# Whether a write is tried again, so that its error goes to who tries.
_trying_again: ContextVar[bool] = ContextVar("trying again", default=False)


def apply(context: Context) -> None:
    atomic_write = s3._atomic_write

    def noting_write(path: str, data: Any, *, text: bool = False) -> None:
        try:
            is_sidecar = isinstance(data, str) and path.endswith(SIDECAR)
            atomic_write(path, with_checksum(data) if is_sidecar else data, text=text)
        except OSError as error:
            _error.set(error)
            raise

    def rewrite(account: str, bucket: str, key: str) -> None:
        token = _trying_again.set(True)
        try:
            with s3._in_account(account):
                if (held := s3._buckets.get(bucket)) is not None:
                    s3._persist_version_state(bucket, key, held)
        finally:
            _trying_again.reset(token)

    def noting_failure(persist: Persist) -> Persist:
        def guarded(bucket: str, key: str, *rest: Any) -> None:
            try:
                _attempt(persist, bucket, key, *rest)
            except OSError as error:
                if _trying_again.get():
                    raise
                account = get_account_id()
                context.disk.failed(error, (account, bucket, key), lambda: rewrite(account, bucket, key))

        return guarded

    def displace(bucket: str, key: str, prior: dict[str, Any] | None, versioning: str) -> None:
        """Keeps the bytes of a version that is overwritten or deleted. Raises OSError, before anything has changed."""
        try:
            _displace(bucket, key, prior, versioning)
        except OSError as error:
            s3._buckets[bucket]["objects"][key] = prior
            context.disk.failed(error, (get_account_id(), bucket, key), None)
            raise

    s3._atomic_write = noting_write
    for name in ("_persist_object", "_persist_delete_marker"):
        setattr(s3, name, noting_failure(getattr(s3, name)))
    s3._persist_displaced_version = displace
    s3._read_body = _read_body


def _attempt(persist: Persist, bucket: str, key: str, *rest: Any) -> None:
    """Raises the OSError of a write that failed."""
    token = _error.set(None)
    try:
        _make_folder(s3._object_disk_path(bucket, key))
        persist(bucket, key, *rest)
        if (error := _error.get()) is not None:
            raise error
    finally:
        _error.reset(token)
    _forget_bytes(bucket, key)


def _displace(bucket: str, key: str, prior: dict[str, Any] | None, versioning: str) -> None:
    if versioning == "Suspended":
        s3._delete_version_file(bucket, key, "null")
    version = (prior or {}).get("version_id") or "null"
    if prior is None or (versioning == "Suspended" and version == "null"):
        return
    current, kept = s3._object_disk_path(bucket, key), s3._version_disk_path(bucket, key, version)
    _make_folder(kept)
    if (body := prior.get("body")) is not None:  # it could not be written yet
        s3._atomic_write(kept, body)
        return
    try:
        os.link(current, kept)  # which needs no room: a write replaces the file, and not its bytes
    except FileExistsError:
        pass  # kept when this was done before and broke off
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        s3._atomic_write(kept, Path(current).read_bytes())


def _make_folder(path: str) -> None:
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _forget_bytes(bucket: str, key: str) -> None:
    """Drops the bytes of versions from memory: those of the newest are in the object's file, others in their own."""
    for version in s3._object_versions.get((bucket, key)) or ():
        version["data"] = None


def _read_body(bucket: str, key: str, obj: dict[str, Any]) -> bytes:
    """The object's bytes. Raises DamagedObjectError, after it has said which file is damaged."""
    if (body := obj.get("body")) is not None:
        return bytes(body)
    path = s3._object_disk_path(bucket, key)
    try:
        found = Path(path).read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from None
    if _is_of(obj, found):
        return found
    # A kill between the writes of the bytes and of what is known of them: the write was never acknowledged.
    kept = s3._version_disk_path(bucket, key, obj.get("version_id") or "null")
    if kept and Path(kept).is_file() and _is_of(obj, before := Path(kept).read_bytes()):
        return before
    raise _damaged(path, f"{len(found)} bytes that are not the {obj.get('size')} that were stored")


def _is_of(obj: dict[str, Any], found: bytes) -> bool:
    md5 = _MD5.fullmatch(obj.get("etag", ""))
    return not md5 or hashlib.md5(found, usedforsecurity=False).hexdigest() == md5[1]


def _damaged(path: str, reason: str) -> DamagedObjectError:
    text = f"{path} is damaged: {reason}. Restore it from a backup, or delete its image."
    print(f"imagetrail: {text}", file=sys.stdout, flush=True)
    return DamagedObjectError(text)
