"""How much a caller may still generate: the accounts that a generation draws on, and what their exhaustion means."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from imagetrail.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imagetrail.accounts import Balance
    from imagetrail.callers import Caller, Origin

DAILY, MONTHLY = "quota", "budget"
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the deployment allows; 0 is without limit. `source_key` is the edge's key, which also hashes addresses."""

    user_daily_quota: int
    anonymous_daily_quota: int
    monthly_budget_usd: Decimal
    source_key: Callable[[], str]

    def daily(self, caller: Caller, origin: Origin, now: datetime) -> Account | None:
        """The caller's images of this UTC day: a user's own, or those of everybody at an anonymous address."""
        limit = self.user_daily_quota if caller.user_id is not None else self.anonymous_daily_quota
        if not limit:
            return None
        who = caller.owner
        if caller.user_id is None:
            key = self.source_key()
            who = f"source:{source_of(origin.viewer(key), key)}"
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return Account(id=f"{DAILY} {now:%Y-%m-%d} {who}", limit=limit, resets_at=midnight)

    def monthly(self, now: datetime) -> Account | None:
        """The deployment's money of this UTC month, in millionths of a dollar."""
        if not self.monthly_budget_usd:
            return None
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=32)).replace(day=1)
        return Account(id=_budget(now), limit=micros(self.monthly_budget_usd), resets_at=following)


def budgets(now: datetime) -> list[str]:
    """The ids of the budgets that a generation may still hold: this month's, and the one before."""
    return [_budget(now), _budget(now.replace(day=1) - timedelta(days=1))]


def _budget(now: datetime) -> str:
    return f"{MONTHLY} {now:%Y-%m}"


def rate_limit_headers(balances: Iterable[Balance], now: datetime) -> dict[str, str]:
    """What a caller may know of their daily account, as RateLimit fields (draft-ietf-httpapi-ratelimit-headers)."""
    for balance in balances:
        if balance.account.id.startswith(DAILY):
            seconds = max(int((balance.account.resets_at - now).total_seconds()), 0)
            return {
                "ratelimit-policy": f'"daily";q={balance.account.limit};w=86400',
                "ratelimit": f'"daily";r={balance.left};t={seconds}',
            }
    return {}


def micros(usd: Decimal | float) -> int:
    """Millionths of a dollar, rounded up: a fraction is never lost to the budget."""
    return -int(-Decimal(str(usd)) * _MICROS // 1)


def source_of(address: str, key: str) -> str:
    """A keyed hash of an address, which cannot be turned back without the key; an IPv6 address counts by its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        network = address
    else:
        network = str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)
    return hmac.digest(key.encode(), network.encode(), hashlib.sha256).hex()[:32]
