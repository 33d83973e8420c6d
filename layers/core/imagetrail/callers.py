"""Who asks, and the partition in which what they own is kept."""

from __future__ import annotations

from dataclasses import dataclass

ANONYMOUS_OWNER = "anonymous"


def owner_of(user_id: str | None) -> str:
    """The owner partition of a user, or of everybody without a token; no user id can collide with the latter."""
    return ANONYMOUS_OWNER if user_id is None else f"user:{user_id}"


@dataclass(frozen=True, slots=True)
class Caller:
    """`user_id` is the token's subject, None without a token. `is_admin` sees every record."""

    user_id: str | None = None
    is_admin: bool = False

    @property
    def owner(self) -> str:
        """The caller's owner partition."""
        return owner_of(self.user_id)

    def owns(self, owner: str) -> bool:
        """Whether what this owner has is the caller's own."""
        return owner == self.owner


ANONYMOUS = Caller()
