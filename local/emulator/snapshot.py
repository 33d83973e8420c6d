"""Everything the emulator holds except items and pixels, on disk as one file.

The emulator saves one file per service, and only when it stops. Here all services are saved together,
within a second of a change and never in the middle of a deployment, so that a kill at any moment leaves
a stack and the resources it stands on in step.

The file is a digest of the rest, a line about itself (position of the journal, digests of the keys folder) and a line
of JSON with the services. Files of before have only the latter.
"""

import copy
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ministack.core.persistence import _json_default, _json_object_hook
from ministack.services import athena, cloudformation, cloudwatch, cloudwatch_logs, dynamodb, lambda_svc

from local.emulator.disk import Disk
from local.emulator.journal import REMEDY, Journal, Position
from local.problem import ProblemError

State = dict[str, Any]

KEPT_LOG_STREAMS = 200
_DEPLOYED = {"cloudformation", "dynamodb"}  # services that are in use once a service has been ready
_ATTEMPTS = 5
STALE_SAVES = 3  # for which the stacks are read again after a request: a deployment goes on after its answer


class DamagedSnapshotError(ProblemError):
    """The snapshot, or a file that belongs to it, is not what was written."""


@dataclass(frozen=True)
class SavedState:
    """What a snapshot file holds. `journal` is None in files of before positions were noted."""

    text: str
    services: State
    journal: Position | None
    keys: dict[str, str]


def read(folder: Path) -> SavedState:
    """The folder's snapshot; an empty one in a new folder. Raises DamagedSnapshotError."""
    path = folder / "snapshot.json"
    try:
        content = path.read_text()
    except FileNotFoundError:
        if (folder / "runtime.json").exists() or any((folder / "s3").glob("*/*/images/*")):
            raise DamagedSnapshotError(f"{path} is missing. {REMEDY}") from None
        return SavedState("{}", {}, None, {})
    except (OSError, UnicodeDecodeError):
        raise DamagedSnapshotError(f"{path} cannot be read. {REMEDY}") from None
    head, _, text = content.rpartition("\n")
    digest, _, line = head.partition(" ")
    try:
        if head and _digest(f"{line}\n{text}".encode()) != digest:
            raise ValueError
        about = json.loads(line) if head else {}
        services: State = json.loads(text, object_hook=_json_object_hook)
        if (folder / "runtime.json").exists() and not services.keys() >= _DEPLOYED:
            raise ValueError
        saved = SavedState(text, services, Position(**about["journal"]) if head else None, about.get("keys", {}))
    except (ValueError, KeyError, TypeError):
        raise DamagedSnapshotError(f"{path} is damaged. {REMEDY}") from None
    _check_keys(folder / "keys", saved)
    if saved.journal is None and _item_count(saved) and not _size(folder / "items.jsonl"):
        raise DamagedSnapshotError(f"{folder / 'items.jsonl'} is missing or empty. {REMEDY}")
    return saved


def opened(folder: Path, disk: Disk) -> tuple[SavedState, Journal]:
    """What the folder holds: its snapshot, and the journal that it belongs to. Raises ProblemError."""
    saved = read(folder)
    return saved, Journal(folder / "items.jsonl", disk, saved.journal)


class Snapshot:
    """The file, as the two functions by which the emulator restores and saves its services."""

    def __init__(self, folder: Path, journal: Journal, disk: Disk, saved: SavedState) -> None:
        self._path, self._keys = folder / "snapshot.json", folder / "keys"
        self._journal, self._disk = journal, disk
        self._saved = saved.text if saved.journal and not journal.was_rewritten else ""
        self._saved_keys = saved.keys
        self._restored = saved.services
        self.exists = bool(saved.services)
        # The stacks are most of the state and change only by requests: their text is kept until the next one.
        self._stacks, self._stacks_stale = "", STALE_SAVES
        self._requested, cloudformation.handle_request = cloudformation.handle_request, self._stacks_requested
        # Code that no function uses is removed after the file that names it is replaced, and not before.
        self._prune, self._used = lambda_svc._prune_orphan_code_blobs, set[str]()
        lambda_svc._prune_orphan_code_blobs = self._note_used

    def load(self, service: str) -> State | None:
        """The state of one service, which the emulator reads once at start."""
        state: State | None = self._restored.pop(service, None)
        if state and service == "lambda":
            state.pop("dynamodb_stream_positions", None)  # streams are empty after a start
        if state and service == "dynamodb":
            tables = list(state["tables"]._data.values())
            self._journal.fill(tables)
            for table in tables:
                dynamodb._update_counts(table)
                dynamodb._index_members(table)  # built now, not by the first query
        return state

    def save(self, services: Mapping[str, Callable[[], State | None]]) -> None:
        """Writes the file when anything differs from what it holds; a failed or unfinished deployment never."""
        if not _settled():
            return
        try:
            text = self._whole(services)  # which writes the code of functions
            if text != self._saved or self._saved_keys.keys() != set(_key_files(self._keys)):
                self._write(text)
        except OSError as error:
            self._disk.failed(error, self, lambda: self._write(self._whole(services)))

    def _whole(self, services: Mapping[str, Callable[[], State | None]]) -> str:
        """Raises OSError."""
        for attempt in range(_ATTEMPTS):
            try:
                texts = {name: self._text(name, get) for name, get in services.items()}
            except RuntimeError:  # another thread changed what was being read
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                break
        return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items() if text) + "}"

    def _text(self, name: str, get: Callable[[], State | None]) -> str:
        if name == "cloudformation" and not self._stacks_stale:
            return self._stacks
        state = _LEAN.get(name, get)()
        text = json.dumps(state, default=_json_default) if state else ""
        if name == "cloudformation":
            self._stacks, self._stacks_stale = text, self._stacks_stale - 1
        return text

    async def _stacks_requested(self, *request: Any) -> Any:
        try:
            return await self._requested(*request)
        finally:
            self._stacks_stale = STALE_SAVES

    def _note_used(self, used: set[str]) -> None:
        self._used = used

    def _write(self, text: str) -> None:
        """Raises OSError."""
        keys = {name: _digest(path.read_bytes()) for name, path in _key_files(self._keys).items()}
        self._journal.sync()
        content = json.dumps({"journal": asdict(self._journal.position), "keys": keys}) + f"\n{text}"
        fresh = self._path.with_suffix(".new")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(f"{_digest(content.encode())} {content}")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        self._saved, self._saved_keys, self.exists = text, keys, True
        self._prune(self._used)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _item_count(saved: SavedState) -> int:
    tables = saved.services.get("dynamodb", {}).get("tables")
    return sum(table.get("ItemCount", 0) for table in tables._data.values()) if tables else 0


def _key_files(folder: Path) -> dict[str, Path]:
    """The user pool's signing keys, by their paths in the folder."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.pem"))}


def _check_keys(folder: Path, saved: SavedState) -> None:
    """Checks the signing keys and the functions' code. Raises DamagedSnapshotError."""
    if saved.services and not folder.is_dir():
        raise DamagedSnapshotError(f"{folder} is missing. {REMEDY}")
    functions = saved.services.get("lambda", {}).get("functions")
    code = {function["code_zip"]["code_blob_ref"] for function in functions._data.values()} if functions else set()
    expected = saved.keys | {f"lambda-blobs/{digest}.zip": digest for digest in code}
    for name, digest in expected.items():
        path = folder / name
        if not path.exists():
            raise DamagedSnapshotError(f"{path} is missing. {REMEDY}")
        if _digest(path.read_bytes()) != digest:
            raise DamagedSnapshotError(f"{path} is damaged. {REMEDY}")


def _settled() -> bool:
    roots = [stack for stack in cloudformation._stacks.all_values() if not stack.get("ParentId")]
    return all(stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE") for stack in roots)


def trim_logs() -> None:
    """Forgets all but the newest log streams: the emulator opens one per call and keeps them for ever."""
    for group in cloudwatch_logs._log_groups.all_values():
        for name in list(group["streams"])[:-KEPT_LOG_STREAMS]:
            del group["streams"][name]


def _emptied(store: Any, *members: str) -> Any:
    """A deep copy of a store whose records have these members empty, made without copying what they held."""
    held = [record[member] for record in store.all_values() for member in members if member in record]
    return copy.deepcopy(store, {id(content): {} for content in held})


def _members(module: Any, *names: str) -> State:
    return {name: copy.deepcopy(getattr(module, f"_{name}")) for name in names}


def _tables() -> State:
    settings = _members(dynamodb, "tags", "ttl_settings", "pitr_settings", "resource_policies")
    tables = _emptied(dynamodb._tables, "items", dynamodb._INDEX_MEMBERS)
    for table in tables.all_values():
        table.pop(dynamodb._INDEX_MEMBERS, None)  # it is rebuilt when it is missing
    return {**settings, "tables": tables}


def _functions() -> State:
    """Without the places of event source mappings in streams, which end with the process."""
    return {**lambda_svc.get_state(), "dynamodb_stream_positions": {}}


def _log_groups() -> State:
    return {"log_groups": _emptied(cloudwatch_logs._log_groups, "streams")}


def _alarms() -> State:
    return _members(cloudwatch, "alarms", "composite_alarms", "dashboards", "resource_tags")


def _workgroups() -> State:
    """Without the answers of queries, which no file of JSON can hold."""
    return {name: copy.deepcopy(getattr(athena, name)) for name in ("_workgroups", "_data_catalogs", "_tags")}


# Services whose own account of their state holds what grows with use: items, log events, metrics, answers.
_LEAN: dict[str, Callable[[], State]] = {
    "athena": _workgroups,
    "dynamodb": _tables,
    "lambda": _functions,
    "cloudwatch_logs": _log_groups,
    "cloudwatch": _alarms,
}
