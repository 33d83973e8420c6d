"""SQL over the lake, through Athena."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from imagetrail.aws import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imagetrail.aws import Endpoint

_NUMBERS = frozenset({"tinyint", "smallint", "integer", "bigint", "float", "real", "double", "decimal"})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds


class QueryFailedError(Exception):
    """Athena could not run a query; the message is Athena's own, for whoever wrote the query."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer."""

    name: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of an answer as text, None where there is no value; they are fetched as they are asked for."""

    columns: list[Column]
    rows: Iterator[list[str | None]]
    scanned_bytes: int


class Athena:
    """Queries in the workgroup, and over the database, that are both called `lake`."""

    def __init__(self, endpoint: Endpoint, lake: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._endpoint, self._lake, self._pause = endpoint, lake, pause

    def run(self, query: str) -> Answer:
        """Runs a query to its end; one that is interrupted is stopped. Raises QueryFailedError and Unavailable."""
        started = self._call(
            "StartQueryExecution",
            QueryString=query,
            ClientRequestToken=str(uuid4()),
            WorkGroup=self._lake,
            QueryExecutionContext={"Database": self._lake},
        )
        name = started["QueryExecutionId"]
        try:
            done = self._finished(name)
        except KeyboardInterrupt:
            self._call("StopQueryExecution", QueryExecutionId=name)
            raise
        first = self._call("GetQueryResults", QueryExecutionId=name)
        described = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        columns = [Column(column["Name"], column["Type"] in _NUMBERS) for column in described]
        has_header = done["StatementType"] == "DML"
        scanned = int(done["Statistics"].get("DataScannedInBytes", 0))
        return Answer(columns, self._rows(name, first, has_header=has_header), scanned)

    def _finished(self, name: str) -> dict[str, Any]:
        pause = _FIRST_PAUSE
        while True:
            execution: dict[str, Any] = self._call("GetQueryExecution", QueryExecutionId=name)["QueryExecution"]
            match execution["Status"]["State"]:
                case "SUCCEEDED":
                    return execution
                case "FAILED" | "CANCELLED" as state:
                    raise QueryFailedError(execution["Status"].get("StateChangeReason") or state.lower())
            self._pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _rows(self, name: str, page: dict[str, Any], *, has_header: bool) -> Iterator[list[str | None]]:
        skipped = int(has_header)
        while True:
            for row in page["ResultSet"]["Rows"][skipped:]:
                yield [cell.get("VarCharValue") for cell in row["Data"]]
            if "NextToken" not in page:
                return
            skipped = 0
            page = self._call("GetQueryResults", QueryExecutionId=name, NextToken=page["NextToken"])

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            return self._endpoint.call(f"AmazonAthena.{operation}", request, "application/x-amz-json-1.1")
        except AwsError as error:
            if error.code != "InvalidRequestException":
                raise
            said = error.document.get("Message") or error.document.get("message") or error.code
            raise QueryFailedError(str(said)) from None
