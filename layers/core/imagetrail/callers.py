"""Who asks, and the partition in which what they own is kept."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import NamedTuple

ANONYMOUS_OWNER = "anonymous"
MAX_USER_ID_BYTES = 255
"""Of a user id in UTF-8: OpenID Connect Core 1.0, section 2. Table keys and object tags have room for that."""


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


class Origin(NamedTuple):
    """The address a request came from. Behind the edge that is the edge's own; the edge names the viewer's address, and
    proves with its key that it is the edge."""

    address: str = ""
    edge_key: str | None = None
    viewer_address: str | None = None

    def viewer(self, key: str) -> str:
        """The address of who asks; `key` is the edge's."""
        proven = self.edge_key is not None and hmac.compare_digest(self.edge_key.encode(), key.encode())
        return self.viewer_address if proven and self.viewer_address else self.address


NOWHERE = Origin()
