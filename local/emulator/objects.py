"""S3 objects on disk: a file with the bytes, and beside it a sidecar with what else is known of the key.

The emulator loads them when its module is imported; it stops at the first sidecar of another shape, and takes one that
cannot be read for one without tags and versions. This loader reads on, and names each file that is not what was
written. Such an object stays listed, and reading it is an error.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
from ministack.core.responses import now_iso
from ministack.services import s3

SIDECAR = ".meta.json"
NAMED = 5  # damaged files at a start

_UNFINISHED = ".tmp"
_CHECKED = b'{"crc32": "'
_PREFIX = len(_CHECKED) + 8 + len(b'", ')
_UNKNOWN = {"etag": f'"{"0" * 32}"', "size": 0, "last_modified": ""}

Sidecar = dict[str, Any]


def with_checksum(text: str) -> str:
    """A sidecar's JSON with its CRC-32 as first member."""
    return f'{{"crc32": "{crc32(text.encode()):08x}", {text[1:]}'


def load(folder: Path) -> list[str]:
    """Loads every object; returns what is wrong with each damaged file."""
    faults: list[str] = []
    for account in _folders(folder):
        if account.name.isdigit() and len(account.name) == 12:
            for bucket in _folders(account):
                _load_bucket(account.name, bucket, faults)
    return faults


def report(faults: list[str]) -> None:
    """Prints the first few."""
    for fault in faults[:NAMED]:
        print(f"imagetrail: {fault}. Restore it from a backup, or delete its image.", flush=True)
    if len(faults) > NAMED:
        print(f"imagetrail: {len(faults) - NAMED} more files of pictures are damaged or missing.", flush=True)


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.is_dir() else []


def _load_bucket(account: str, path: Path, faults: list[str]) -> None:
    bucket: dict[str, Any] = {"created": now_iso(), "objects": {}, "region": None}
    bucket = s3._buckets._data.setdefault((account, path.name), bucket)
    for key, file, has_bytes, has_sidecar in _files(path):
        sidecar, fault = _read(file + SIDECAR) if has_sidecar else (None, "is missing")
        if sidecar is None:
            faults.append(f"{file}{SIDECAR} {fault}")
            sidecar = dict(_UNKNOWN)
        key = sidecar.get("key") or key
        if sidecar.get("is_delete_marker"):
            s3._load_persisted_delete_marker(account, bucket, path.name, key, sidecar)
            continue
        if not has_bytes:
            faults.append(f"{file} is missing")
        _load_object(account, bucket, path.name, key, sidecar)


def _load_object(account: str, bucket: dict[str, Any], name: str, key: str, sidecar: Sidecar) -> None:
    record = {
        "body": None,
        "content_type": sidecar.get("content_type", "application/octet-stream"),
        "content_encoding": sidecar.get("content_encoding"),
        "etag": sidecar["etag"],
        "last_modified": sidecar["last_modified"] or now_iso(),
        "size": sidecar["size"],
        "metadata": sidecar.get("metadata", {}),
        "preserved_headers": sidecar.get("preserved_headers", {}),
        "storage_class": sidecar.get("storage_class", "STANDARD"),
        "checksums": sidecar.get("checksums", {}),
    }
    bucket["objects"][key] = record
    if version := sidecar.get("version_id"):
        record["version_id"] = version
        if not sidecar.get("versions"):
            sidecar["versions"] = [s3._version_entry_from_record(record, version, None)]
    s3._load_persisted_history(account, bucket, name, key, sidecar)


def _files(bucket: Path) -> Iterator[tuple[str, str, bool, bool]]:
    """Keys of a bucket, the files of their bytes, and which of the two files are there."""
    root = str(bucket)
    for folder, _, names in os.walk(root):
        there = set(names)
        for name in sorted({name.removesuffix(SIDECAR) for name in names if not name.endswith(_UNFINISHED)}):
            file = os.path.join(folder, name)  # noqa: PTH118
            yield file[len(root) + 1 :], file, name in there, name + SIDECAR in there


def _read(path: str) -> tuple[Sidecar | None, str]:
    """What a sidecar holds, or what is wrong with it."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read()
        if content.startswith(_CHECKED):
            text = b"{" + content[_PREFIX:]
            if content[len(_CHECKED) : len(_CHECKED) + 8] != b"%08x" % crc32(text):
                return None, "is damaged"
            content = text
        sidecar = orjson.loads(content)
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except ValueError:
        return None, "is damaged"
    return (sidecar, "") if _is_sound(sidecar) else (None, "is damaged")


def _is_sound(sidecar: Any) -> bool:
    if not isinstance(sidecar, dict):
        return False
    known = sidecar.get("is_delete_marker") is True or (
        isinstance(sidecar.get("etag"), str)
        and isinstance(sidecar.get("size"), int)
        and isinstance(sidecar.get("last_modified"), str)
    )
    versions, maps = sidecar.get("versions", []), (sidecar.get(name, {}) for name in ("tags", "acl", "annotations"))
    return (
        known
        and isinstance(versions, list)
        and all(isinstance(one, dict) and isinstance(one.get("version_id"), str) for one in versions)
        and all(isinstance(one, dict) for one in maps)
    )
