"""What a person can put right."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ProblemError(Exception):
    """Something the person at the terminal can put right; the message says how."""


@contextmanager
def explained_full_disk(folder: Path) -> Iterator[None]:
    """Raises ProblemError instead of the error of a write for which the folder's disk has no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ProblemError(f"the disk is full: free some space on the disk of {folder} and start again") from None
