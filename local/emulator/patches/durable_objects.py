"""Reports S3 objects that cannot be written or read, and keeps none of them in memory.

The emulator answers 200 when it could not write an object (a full disk), returns an empty body when the file of an
object is gone, and holds the bytes of every version of every object in memory for as long as it runs. Here a failed
write is noted, so that the request is answered with 503; a file that is missing or differs from what was stored is an
error that names it; and bytes that are on disk are read from there. Upstream: the same.
"""

import hashlib
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import s3

from local.emulator.context import Context

TARGETS = {
    "ministack.services.s3._atomic_write": "24958052a85f",
    "ministack.services.s3._in_account": "48f6799e81a6",
    "ministack.services.s3._object_disk_path": "0a7ed55714d9",
    "ministack.services.s3._persist_delete_marker": "3181a2382f87",
    "ministack.services.s3._persist_displaced_version": "9637289a604c",
    "ministack.services.s3._persist_object": "cb32b6ae8706",
    "ministack.services.s3._persist_version_state": "7490600cbb08",
    "ministack.services.s3._read_body": "596e56d63502",
    "ministack.services.s3._version_body": "914e6f75ad9f",
}

Persist = Callable[..., None]

_MD5 = re.compile(r'"([0-9a-f]{32})"')


class DamagedObjectError(Exception):
    """The file of an object is not what was stored."""


# The error that stopped the write under way; a persisting function of the emulator catches what it raises itself.
_error: ContextVar[OSError | None] = ContextVar("error", default=None)


def apply(context: Context) -> None:
    atomic_write = s3._atomic_write

    def noting_write(path: str, data: bytes, *, text: bool = False) -> None:
        try:
            atomic_write(path, data, text=text)
        except OSError as error:
            _error.set(error)
            raise

    def rewrite(account: str, bucket: str, key: str) -> None:
        with s3._in_account(account):
            if (held := s3._buckets.get(bucket)) is not None:
                _attempt(s3._persist_version_state, bucket, key, held)

    def noting_failure(persist: Persist) -> Persist:
        def guarded(bucket: str, key: str, *rest: Any) -> None:
            try:
                _attempt(persist, bucket, key, *rest)
            except OSError as error:
                account = get_account_id()
                context.disk.failed(error, (account, bucket, key), lambda: rewrite(account, bucket, key))

        return guarded

    s3._atomic_write = noting_write
    for name in ("_persist_object", "_persist_delete_marker", "_persist_displaced_version"):
        setattr(s3, name, noting_failure(getattr(s3, name)))
    s3._read_body = _read_body


def _attempt(persist: Persist, bucket: str, key: str, *rest: Any) -> None:
    """Raises the OSError of a write that failed."""
    token = _error.set(None)
    try:
        persist(bucket, key, *rest)
        if (error := _error.get()) is not None:
            raise error
    finally:
        _error.reset(token)
    _forget_bytes(bucket, key)


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
        with open(path, "rb") as file:  # noqa: PTH123
            found = file.read()
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from None
    md5 = _MD5.fullmatch(obj.get("etag", ""))
    if md5 and hashlib.md5(found, usedforsecurity=False).hexdigest() != md5[1]:
        raise _damaged(path, f"{len(found)} bytes that are not the {obj.get('size')} that were stored")
    return found


def _damaged(path: str, reason: str) -> DamagedObjectError:
    text = f"{path} is damaged: {reason}. Restore it from a backup, or delete its image."
    print(f"imagetrail: {text}", file=sys.stdout, flush=True)
    return DamagedObjectError(text)
