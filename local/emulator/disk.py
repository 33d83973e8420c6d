"""State of the disk that holds the data folder: writes are refused while it is full, and resumed when there is room.

A reserve file holds room that is released when a write fails. Functions need it to start, so reads go on; and writes
are resumed only when the reserve, and everything that failed to be written, is on the disk again.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path

RESERVE = 4 * 1024 * 1024  # bytes

# Whether a write of the current request failed; a list, so that the request's caller sees what its handlers noted.
_failures: ContextVar[list[str] | None] = ContextVar("failures", default=None)


class Disk:
    """Notes failed writes, and tries them again until they succeed."""

    def __init__(self, folder: Path, reserve: int = RESERVE) -> None:
        self._file = folder / "reserve"
        self._reserve = reserve
        self._retries: dict[object, Callable[[], None]] = {}
        self.is_full = not self._hold()
        if self.is_full:
            self._report("the disk is full")

    def watch(self) -> list[str]:
        """Starts a request; the list holds its failed writes when it has been handled."""
        failures: list[str] = []
        _failures.set(failures)
        return failures

    def failed(self, error: OSError, key: object, retry: Callable[[], None] | None) -> None:
        """Notes a write that failed; `retry` writes the state that `key` has by then, or raises OSError.

        Without `retry`, nothing is left to be written: the request changed nothing.
        """
        if (failures := _failures.get()) is not None:
            failures.append(str(error))
        if retry is not None:
            self._retries[key] = retry
        if not self.is_full:
            self.is_full = True
            self.release()
            self._report(f"a write failed ({error.strerror or error}): writes are refused until there is room")

    def recover(self) -> None:
        """Resumes writes if there is room for the reserve and for all that failed; does nothing on a healthy disk."""
        if not self.is_full or not self._hold():
            return
        if not self.retry():
            self.release()
            return
        self.is_full = False
        self._report("there is room on the disk again: writes are accepted")

    def retry(self) -> bool:
        """Whether everything that failed is written now; also without room for the reserve, when the process ends."""
        for key, retry in list(self._retries.items()):
            try:
                retry()
            except OSError:
                continue
            if self._retries.get(key) is retry:
                del self._retries[key]
        return not self._retries

    def release(self) -> None:
        """Gives the reserve up."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _hold(self) -> bool:
        """Allocates the reserve, if there is room for it."""
        try:
            with self._file.open("ab") as file:
                if file.tell() < self._reserve:
                    file.write(bytes(self._reserve - file.tell()))
        except OSError:
            self.release()
            return False
        return True

    def _report(self, text: str) -> None:
        print(f"imagetrail: {text} ({self._file.parent})", file=sys.stdout, flush=True)
