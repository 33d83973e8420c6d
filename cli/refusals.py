"""The report of the rows that were refused: a CSV that a spreadsheet opens."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from imagetrail.spreadsheet import csv_line

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from cli.importing import Outcome

_HEADER = ("line", "id", "column", "reason")


class Refusals:
    """Written when there is a first one; without any, the report of an earlier run goes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Refusals:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def tell(self, outcome: Outcome) -> None:
        """Adds a row of the table, a line for each thing that is wrong with it."""
        if self._file is None:
            self._file = self.path.open("wb")
            self._file.write(csv_line(_HEADER))
        for column, reason in outcome.reasons:
            self._file.write(csv_line([outcome.line, outcome.id, column, reason]))
        self._file.flush()
