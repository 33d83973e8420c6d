"""Who may have a user or a dataset erased, and the job that does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail.callers import owner_of
from imagetrail.errors import Forbidden, NotFound, Unauthenticated
from imagetrail.tombstones import tombstone

if TYPE_CHECKING:
    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.jobs import Jobs

USER, DATASET = "erase_user", "delete_dataset"


def claim(kind: str, subject: str) -> str:
    """The tombstone that a job of this kind begins with."""
    return tombstone(owner_of(subject) if kind == USER else f"dataset:{subject}")


@dataclass(frozen=True, slots=True)
class Erasing:
    """Starts erasures. Whatever asks for the same one gets the same job while that is open."""

    jobs: Jobs
    datasets: Datasets

    def me(self, caller: Caller) -> dict[str, Any]:
        """The caller. Raises Unauthenticated."""
        if caller.user_id is None:
            raise Unauthenticated("Without a token there is no account to erase.", with_token=False)
        return self._user(caller.user_id, caller)

    def user(self, caller: Caller, user_id: str) -> dict[str, Any]:
        """Any user, by an admin; oneself, by anybody. Raises Forbidden."""
        if not (caller.is_admin or caller.user_id == user_id):
            raise Forbidden("Only an admin may erase another user.")
        return self._user(user_id, caller)

    def user_by_admin(self, caller: Caller, user_id: str) -> dict[str, Any]:
        """The user with exactly this id. Raises Unauthenticated and Forbidden."""
        if caller.user_id is None:
            raise Unauthenticated("Erasing a user by id needs an admin's token.", with_token=False)
        if not caller.is_admin:
            raise Forbidden("Only an admin may erase a user by id. DELETE /ai/users/me erases your own account.")
        return self._user(user_id, caller)

    def gone(self, user_id: str) -> dict[str, Any]:
        """A user of whom the issuer of the tokens says that the account is gone."""
        return self._user(user_id, None)

    def dataset(self, caller: Caller, dataset_id: str) -> dict[str, Any]:
        """A dataset, whose row goes at once. Raises NotFound and Forbidden."""
        name = claim(DATASET, dataset_id)
        try:
            dataset = self.datasets.changeable(caller, dataset_id)
        except NotFound:
            started = self.jobs.claimed(name)
            if started is None or not self.jobs.seen_by(started, caller):
                raise
            return self.jobs.get(caller, started["job_id"])
        job = self.jobs.start(DATASET, dataset_id, name, caller)
        self.datasets.delete(dataset["id"])
        return job

    def _user(self, user_id: str, caller: Caller | None) -> dict[str, Any]:
        return self.jobs.start(USER, user_id, claim(USER, user_id), caller)
