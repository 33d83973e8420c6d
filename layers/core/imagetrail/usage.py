"""What a caller has used, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail import moments

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.accounts import Account, Accounts
    from imagetrail.allowances import Limits
    from imagetrail.callers import Caller, Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Reads accounts; a limit that the deployment does not set is null."""

    accounts: Accounts
    limits: Limits
    now: Callable[[], datetime] = moments.utc_now

    def of(self, caller: Caller, origin: Origin) -> dict[str, Any]:
        """The caller's images of the day, and, for an admin, the deployment's dollars of the month."""
        now = self.now()
        usage: dict[str, Any] = {"daily_images": self._standing(self.limits.daily(caller, origin, now), 1)}
        if caller.is_admin:
            usage["monthly_budget_usd"] = self._standing(self.limits.monthly(now), 1_000_000)
        return usage

    def _standing(self, account: Account | None, unit: int) -> dict[str, Any] | None:
        if account is None:
            return None
        balance = self.accounts.balance(account)
        return {
            "limit": account.limit / unit if unit > 1 else account.limit,
            "used": balance.used / unit if unit > 1 else balance.used,
            "left": balance.left / unit if unit > 1 else balance.left,
            "resets_at": moments.to_text(account.resets_at),
        }
