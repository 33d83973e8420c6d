"""The report of the rows that were refused: a CSV that a spreadsheet opens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagetrail.spreadsheet import csv_line
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from cli.importing import Outcome

_HEADER = ("line", "id", "column", "reason")


class Refusals:
    """A report that is kept if there is something in it. Raises ProblemError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._has_rows = False

    def __enter__(self) -> Refusals:
        with self._named():
            self._file = self.path.open("wb")
            self._write(csv_line(_HEADER))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._named():
            self._file.close()
            if not self._has_rows and self.path.is_file() and not self.path.is_symlink():  # so /dev/null stays
                self.path.unlink()

    def tell(self, outcome: Outcome) -> None:
        """Adds a row of the table, a line for each thing that is wrong with it."""
        self._has_rows = True
        with self._named():
            for column, reason in outcome.reasons:
                cells = (_readable(text) for text in (outcome.id, column, reason))
                self._write(csv_line([outcome.line, *cells]))

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ProblemError(f"the report {self.path} cannot be written: {error.strerror}") from None


def _readable(text: str) -> str:
    """The text with a question mark for each character that is half of one."""
    return text.encode(errors="replace").decode()
