"""Types an Athena array as an array.

Of a table without files the emulator takes an array for text, which cannot be unnested. Upstream: the same entry.
"""

from ministack.services import athena

from local.emulator.context import Context

TARGETS = {"ministack.services.athena._DUCKDB_TYPE_BY_ATHENA": "43812e197fc6"}


def apply(_context: Context) -> None:
    athena._DUCKDB_TYPE_BY_ATHENA["array<string>"] = "VARCHAR[]"
