"""The family of an image: what it was made from, and all that was made from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail.dynamo import Expression
from imagetrail.records import public

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.history import History

INDEX = "idx_generated_images_parent_id"
MAX_IMAGES = 200
MAX_ANCESTORS, MAX_GENERATIONS = 30, 60
_EXCERPT = 200
_ASKED = (
    "prompt", "dataset_id", "dataset_version", "style", "aspect_ratio", "quality", "format", "resolution",
    "negative_prompt", "model", "seed",
)  # fmt: skip
_SHOWN = ("id", "parent_id", "created_at", "status", "model", "seed", "image_url", "thumbnail_url", "favorite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Reads cost O(images in the family), and at most as many calls as an answer shows."""

    history: History
    dynamo: Dynamo
    table: str
    executor: Executor

    def of(self, caller: Caller, image_id: str, public_url: str) -> dict[str, Any]:
        """The tree around this image. Raises NotFound for an image the caller may not see."""
        line, whole_up = self._ancestors(self.history.find(caller, image_id))
        records, whole_down = self._descendants(line)
        sees_all = self.history.sees_all(caller)
        shown = {
            record["id"]: record
            for record in records.values()
            if record["id"] == image_id or ((sees_all or caller.owns(record["owner"])) and not record.get("deleted_at"))
        }
        nodes = {
            one: _node(record, shown.get(record.get("parent_id", "")), public_url) for one, record in shown.items()
        }
        roots: list[dict[str, Any]] = []
        for one in sorted(nodes, key=lambda one: (shown[one]["created_at"], one)):
            above = _shown_above(shown[one], records, nodes)
            (roots if above is None else nodes[above]["children"]).append(nodes[one])
        return {"image_id": image_id, "count": len(nodes), "truncated": not (whole_up and whole_down), "roots": roots}

    def _ancestors(self, record: Item) -> tuple[list[Item], bool]:
        """The line from the eldest that is known to the record, and whether it ends there. What was purged leads on
        to its other children, and no further up."""
        line = [record]
        while (parent_id := line[0].get("parent_id")) is not None:
            if len(line) > MAX_ANCESTORS or any(parent_id == one["id"] for one in line):
                return line, False
            parent = self.dynamo.get(self.table, parent_id)
            if parent is None:
                return [{"id": parent_id}, *line], True
            line.insert(0, parent)
        return line, True

    def _descendants(self, line: list[Item]) -> tuple[dict[str, Item], bool]:
        """The line with all that was made from its eldest, by id, and whether that is all."""
        found = {record["id"]: record for record in line if "owner" in record}
        generation, whole = [line[0]["id"]], True
        searched: set[str] = set()
        for _ in range(MAX_GENERATIONS):
            searched.update(generation)
            born: list[str] = []
            for children, complete in self.executor.map(self._children, generation):
                whole = whole and complete
                for child in children:
                    if len(found) >= MAX_IMAGES and child["id"] not in found:
                        return found, False
                    found[child["id"]] = child
                    born.append(child["id"])
            generation = [one for one in born if one not in searched]
            if not generation:
                return found, whole
        return found, False

    def _children(self, parent_id: str) -> tuple[Iterable[Item], bool]:
        parent = Expression("#parent_id = :parent_id", {"parent_id": parent_id})
        page = self.dynamo.query(self.table, INDEX, parent, newest_first=False, limit=MAX_IMAGES)
        return page.items, page.last is None


def _shown_above(record: Item, records: dict[str, Item], nodes: dict[str, Any]) -> str | None:
    """The nearest ancestor that is shown."""
    passed: set[str] = set()
    parent_id = record.get("parent_id")
    while parent_id is not None and parent_id not in nodes and parent_id not in passed:
        passed.add(parent_id)
        parent_id = records.get(parent_id, {}).get("parent_id")
    return parent_id if parent_id in nodes else None


def _node(record: Item, parent: Item | None, public_url: str) -> dict[str, Any]:
    seen = public(record, public_url)
    asked = () if parent is None else (name for name in _ASKED if record.get(name) != parent.get(name))
    return {
        **{name: seen[name] for name in _SHOWN},
        "prompt_start": (record.get("prompt") or "")[:_EXCERPT],
        "changed": list(asked),
        "children": [],
    }
