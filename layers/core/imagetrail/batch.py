"""One action on many images: on those that are named, or on all that a filter finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.errors import ImagetrailError, Unavailable
from imagetrail.history import HistoryQuery
from imagetrail.records import DELETED

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.history import History
    from imagetrail.images import Images
    from imagetrail.schemas import BatchRequest
    from imagetrail.trash import Trash

AT_ONCE = 16
_PAGE = 200
_MOST = 10_000  # results in one answer
_FINISHING = timedelta(seconds=8)  # what a change that has begun may still take


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`executor` has AT_ONCE threads. Each image is changed by itself, and says by itself what became of it."""

    history: History
    images: Images
    trash: Trash
    executor: Executor
    now: Callable[[], datetime] = moments.utc_now

    def run(self, caller: Caller, wish: BatchRequest, time_left: timedelta) -> dict[str, Any]:
        """Acts once on each image named, or on what the history lists for the filter, as long as there is time.

        `next_cursor` says where to go on. Raises InvalidCursor, Unauthenticated and Unavailable.
        """
        deadline = self.now() + time_left - _FINISHING
        if wish.ids is not None:
            ids = list(dict.fromkeys(str(image_id) for image_id in wish.ids))
            return _answer(self._each(caller, wish.action, ids, deadline), None)
        query = _query(wish)
        results: list[dict[str, Any]] = []
        while True:
            page = self.history.page(caller, query, "")
            results += self._each(caller, wish.action, [image["id"] for image in page["images"]], deadline)
            query = replace(query, cursor=page["next_cursor"])
            if query.cursor is None or self.now() >= deadline or len(results) + _PAGE > _MOST:
                return _answer(results, query.cursor)

    def _each(self, caller: Caller, action: str, ids: list[str], deadline: datetime) -> list[dict[str, Any]]:
        self.history.sees_all(caller)  # whoever may see nothing is told so once
        actions: dict[str, Callable[[Caller, str], object]] = {
            "delete": self.trash.throw,
            "restore": self.trash.restore,
            "favorite": partial(self.images.mark, favorite=True),
            "unfavorite": partial(self.images.mark, favorite=False),
        }

        def attempt(image_id: str) -> dict[str, Any]:
            try:
                if self.now() >= deadline:
                    raise Unavailable("There was no time left for this one. Please send it again.")
                actions[action](caller, image_id)
            except ImagetrailError as error:
                return {"id": image_id, "status": error.status, "code": error.code, "detail": error.detail}
            return {"id": image_id, "status": 200, "code": None, "detail": None}

        return list(self.executor.map(attempt, ids))


def _query(wish: BatchRequest) -> HistoryQuery:
    wanted = {} if wish.filter is None else wish.filter.model_dump(exclude_none=True)
    if "dataset_id" in wanted:
        wanted["dataset_id"] = str(wanted["dataset_id"])
    if wish.action == "restore":
        wanted.setdefault("status", DELETED)
    return HistoryQuery(limit=_PAGE, cursor=wish.cursor, **wanted)


def _answer(results: list[dict[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    succeeded = sum(result["status"] == 200 for result in results)
    return {
        "succeeded": succeeded,
        "failed": len(results) - succeeded,
        "results": results,
        "next_cursor": next_cursor,
    }
