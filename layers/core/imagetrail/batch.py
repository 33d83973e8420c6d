"""One action on many images: at once on those that are named, as a job on all that a filter finds."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail import moments, telemetry
from imagetrail.aws import AwsError
from imagetrail.callers import Caller
from imagetrail.errors import Forbidden, ImagetrailError, Unavailable
from imagetrail.history import HistoryQuery
from imagetrail.jobs import Progress
from imagetrail.records import DELETED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from datetime import datetime

    from imagetrail.dynamo import Item
    from imagetrail.history import History
    from imagetrail.images import Images
    from imagetrail.jobs import Jobs
    from imagetrail.schemas import BatchRequest
    from imagetrail.tombstones import Tombstones
    from imagetrail.trash import Trash

KIND = "change_images"
AT_ONCE = 16
_PAGE = 200
_PAGE_TIME = timedelta(seconds=60)  # half of the lease that a job holds
_FINISHING = timedelta(seconds=8)  # what a change that has begun may still take


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`executor` has AT_ONCE threads. Each image is changed by itself, and says by itself what became of it."""

    history: History
    images: Images
    trash: Trash
    jobs: Jobs
    tombstones: Tombstones
    executor: Executor
    page_size: int = _PAGE
    now: Callable[[], datetime] = moments.utc_now

    def on_ids(self, caller: Caller, wish: BatchRequest, time_left: timedelta) -> dict[str, Any]:
        """Acts on each image once. Raises Unauthenticated where nobody sees any without a token."""
        self.history.sees_all(caller)
        ids = dict.fromkeys(str(image_id) for image_id in wish.ids or ())
        results = self._each(caller, wish.action, ids, self.now() + time_left - _FINISHING)
        succeeded = sum(result["status"] == 200 for result in results)
        return {"succeeded": succeeded, "failed": len(results) - succeeded, "results": results}

    def on_filter(self, caller: Caller, wish: BatchRequest) -> dict[str, Any]:
        """Starts the job that does it; the same wish is the same job while that is open.

        Raises Forbidden and AccountErased, and Unauthenticated as above.
        """
        self.history.sees_all(caller)
        if caller.user_id is None and not caller.is_admin and wish.action in ("delete", "restore"):
            raise Forbidden("Only its owner may change an image; one made without a token, only an admin.")
        self.tombstones.check(caller.owner)
        words = {} if wish.filter is None else wish.filter.model_dump(mode="json", by_alias=True, exclude_none=True)
        who = {"user_id": caller.user_id, "is_admin": caller.is_admin}
        subject = orjson.dumps({**who, "action": wish.action, "filter": words}, option=orjson.OPT_SORT_KEYS).decode()
        return self.jobs.start(KIND, subject, _claim(subject), caller)

    def page(self, job: Item) -> Progress:
        """One page of such a job. Raises Unavailable: then the page is worked again."""
        subject = orjson.loads(job["subject"])
        caller, action = Caller(subject["user_id"], subject["is_admin"]), subject["action"]
        query = _query(action, subject["filter"], self.page_size, job["state"].get("cursor"))
        page = self.history.page(caller, query, "")
        results = self._each(caller, action, (image["id"] for image in page["images"]), self.now() + _PAGE_TIME)
        if any(result["status"] == Unavailable.status for result in results):
            raise Unavailable
        counts = Counter(result["code"] or "changed" for result in results)
        if page["next_cursor"] is not None:
            return Progress(state={"cursor": page["next_cursor"]}, counts=counts)
        self.jobs.release(_claim(job["subject"]), job["job_id"])
        return Progress(state={}, counts=counts, done=True, receipt={"kept": []})

    def _each(self, caller: Caller, action: str, ids: Iterable[str], deadline: datetime) -> list[dict[str, Any]]:
        written: set[str] = set()
        images = replace(self.images, on_write=written.add)
        trash = replace(self.trash, images=images)
        actions: dict[str, Callable[[Caller, str], object]] = {
            "delete": trash.throw,
            "restore": trash.restore,
            "favorite": partial(images.mark, favorite=True),
            "unfavorite": partial(images.mark, favorite=False),
        }

        def attempt(image_id: str) -> dict[str, Any]:
            try:
                if self.now() >= deadline:
                    raise Unavailable("There was no time left for this one. Please send it again.")
                try:
                    actions[action](caller, image_id)
                except AwsError as error:
                    telemetry.log_defect(error, image_id)
                    raise Unavailable from None
            except ImagetrailError as error:
                problem = {"status": error.status, "code": error.code, "detail": error.detail}
            else:
                problem = {"status": 200, "code": None, "detail": None}
            return {"id": image_id, **problem, "changed": image_id in written}

        return list(self.executor.map(attempt, ids))


def _query(action: str, words: Item, limit: int, cursor: str | None) -> HistoryQuery:
    return HistoryQuery(
        limit=limit,
        cursor=cursor,
        dataset_id=words.get("dataset_id"),
        status=words.get("status", DELETED if action == "restore" else "succeeded"),
        favorite=words.get("favorite", False),
        from_=moments.from_text(words["from"]) if "from" in words else None,
        to=moments.from_text(words["to"]) if "to" in words else None,
    )


def _claim(subject: str) -> str:
    return f"batch {hashlib.sha256(subject.encode()).hexdigest()}"
