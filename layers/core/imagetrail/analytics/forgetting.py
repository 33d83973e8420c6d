"""Forgetting a user: their own reports at once, and each of their days as soon as it is folded without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.analytics.store import GRACE
from imagetrail.callers import owner_of
from imagetrail.erasure import NotYetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.analytics.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """`kick` asks for a fold now, and only once: another would begin anew. The schedule makes up for a lost one."""

    store: Store
    kick: Callable[[], object]
    now: Callable[[], datetime] = moments.utc_now

    def forget(self, user_id: str) -> int:
        """How many reports of a user's own are deleted; 0 when nothing of them is left in any report, nor in the lake.

        Raises NotYetError while days have still to be folded without them, and Unavailable.
        """
        owner, now = owner_of(user_id), self.now()
        days = self.store.forget(owner, now)
        names = self.store.rows_of(owner)
        # As of long ago: this asks for one fold, unlike a change just seen.
        self.store.touch(days, now - 2 * GRACE)
        self.store.delete(owner, names)
        if names:
            self.kick()
        elif days:
            raise NotYetError
        return len(names)
