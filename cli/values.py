"""What the cells of a column look like before they are checked: enough to tell formats apart."""

from __future__ import annotations

import re
from functools import lru_cache

import orjson

from cli import postgres

_TEXTS = frozenset(
    {"prompt", "full_prompt", "style", "negative_prompt", "error", "provider", "model", "model_id", None}
)
_NUMBERS = frozenset({"reference_images_count", "seed", "width", "height", "bytes", "generation_ms", "dataset_version"})
LISTS = frozenset({"unique_visual_elements", "dropped_params", "reference_images"})
_IDS = frozenset({"id", "dataset_id", "parent_id"})
_TIMES = frozenset({"created_at", "deleted_at"})
_UUID = re.compile(r"\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?")
_NUMBER = re.compile(r"-?\d+(?:[.,]0+)?")
_TIME = re.compile(r"[^\"{}\[\]]*\d{4}[^\"{}\[\]]*|[+-]?infinity", re.IGNORECASE)
NULLS = frozenset({"", r"\N", "NULL", "null"})


def is_typed(column: str | None) -> bool:
    """Whether a column holds something else than free text, so that the word NULL in it is no value."""
    return column not in _TEXTS


def is_null(cell: str | None) -> bool:
    """Whether the cell of a typed column is null in some format."""
    return cell is None or cell in NULLS


def looks_like(column: str, cell: str | None) -> bool:
    """Whether a cell may be one of the column."""
    if is_null(cell) or cell is None:
        return column not in ("id", "created_at")
    if column in _IDS:
        return _UUID.fullmatch(cell.strip()) is not None
    if column in _TIMES:
        return _TIME.fullmatch(cell) is not None
    if column in _NUMBERS:
        return _NUMBER.fullmatch(cell.strip()) is not None
    return column not in LISTS or _is_list(cell)


@lru_cache(4096)
def _is_list(cell: str) -> bool:
    if cell.lstrip().startswith("["):
        try:
            return isinstance(orjson.loads(cell), list)
        except orjson.JSONDecodeError:
            return False
    try:
        return bool(postgres.array(cell)) or True
    except ValueError:
        return False
