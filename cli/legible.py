"""Which columns of a record are not what the API promises of them: somebody wrote to the table by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from imagetrail.answers import Image
from imagetrail.records import public

if TYPE_CHECKING:
    from collections.abc import Mapping


def illegible(record: Mapping[str, Any]) -> list[str]:
    """The columns of a record, as the table holds it, that cannot be read."""
    shown = public({**record, "cost_usd": None}, "") | {"cost_usd": record.get("cost_usd")}
    try:
        Image.model_validate_json(orjson.dumps(shown), strict=True)
    except ValidationError as error:
        return list(dict.fromkeys(str(failure["loc"][0]) for failure in error.errors(include_url=False)))
    except orjson.JSONEncodeError:
        return [name for name, value in shown.items() if not _has_json(value)]
    return []


def _has_json(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True
