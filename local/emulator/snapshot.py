"""Everything the emulator holds except items and pixels, on disk as one file.

The emulator saves one file per service, and only when it stops. Here all services are saved together,
within a second of a change and never in the middle of a deployment, so that a kill at any moment leaves
a stack and the resources it stands on in step.
"""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ministack.core.persistence import _json_default, _json_object_hook
from ministack.services import athena, cloudformation, cloudwatch, cloudwatch_logs, dynamodb

from local.emulator.journal import Journal

State = dict[str, Any]

KEPT_LOG_STREAMS = 200


class Snapshot:
    """The file, as the two functions by which the emulator restores and saves its services."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self._path, self._journal = path, journal
        self._saved = path.read_text() if path.exists() else "{}"
        self._restored: State = json.loads(self._saved, object_hook=_json_object_hook)

    def load(self, service: str) -> State | None:
        """What one service held, asked for once per service at start."""
        state: State | None = self._restored.pop(service, None)
        if state and service == "dynamodb":
            tables = list(state["tables"]._data.values())
            self._journal.fill(tables)
            for table in tables:
                dynamodb._update_counts(table)
        return state

    def save(self, services: Mapping[str, Callable[[], State | None]]) -> None:
        """Writes the file when anything differs from what it holds; a failed or unfinished deployment never."""
        if not _settled():
            return
        states = {name: _LEAN.get(name, get)() for name, get in services.items()}
        text = json.dumps({name: state for name, state in states.items() if state}, default=_json_default)
        if text != self._saved:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(self._path)
            self._saved = text


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
    "cloudwatch_logs": _log_groups,
    "cloudwatch": _alarms,
}
