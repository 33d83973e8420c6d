"""Tables as PostgreSQL, psql, spreadsheets and people write them, for the tests of the import."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from imagetrail.records import SEED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Cells = dict[str, Any]
ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
NASTY = [
    'say "hi", you', '"quoted"', '"a ""b"" c"', "two\nlines\r\nand\rmore", "tab\there", "back\\slash \\N \\. \\n", "'",
    "\\.", "\\N", " spaces ", "NULL", "null", "{a,b}", "a;b", "a|b", "(3 rows)", "sep=;", "$$", "--", "''", "\\'",
    "$a$", "INSERT INTO x VALUES ('a');", "COPY x FROM stdin;", "[", '{"a": "b"}', "\u2028\u0085\x1c", "ünï \U0001f98a",
    "=1+1",
]  # fmt: skip
TEXTS = st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)


def tables(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[Cells]]:
    """Tables of one to four rows with valid values."""
    ids = st.uuids(version=4).map(str)
    one = st.fixed_dictionaries(
        {
            "id": ids,
            "user_id": st.none() | ids,
            "prompt": texts,
            "full_prompt": texts,
            "image_url": st.none() | st.just("https://example.com/a.png?x=1,2;3"),
            "dataset_id": st.none() | ids,
            "style": st.none() | texts,
            "aspect_ratio": st.sampled_from(["1:1", "16:9"]),
            "quality": st.just("high"),
            "format": st.sampled_from(["png", "webp"]),
            "resolution": st.just("2K"),
            "reference_images_count": st.integers(0, 14),
            "unique_visual_elements": st.none() | st.lists(texts, max_size=3),
            "created_at": st.datetimes().map(lambda at: f"{at:%Y-%m-%d %H:%M:%S}+00".rjust(22, "0")),
        }
    )
    return st.lists(one, min_size=1, max_size=4, unique_by=lambda cells: cells["id"])


def printed(value: Any) -> str | None:
    """A value as PostgreSQL prints it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def lines(rows: Sequence[Cells]) -> list[list[str | None]]:
    """The printed cells of rows."""
    return [[printed(cells[name]) for name in SEED_COLUMNS] for cells in rows]


def by_csv_module(rows: Sequence[Cells], header: Sequence[str] | None = SEED_COLUMNS, **options: Any) -> str:
    """A table as Python's csv writes it."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, **options)
    writer.writerows([header] if header else [])
    writer.writerows(lines(rows))
    return file.getvalue()


def copied_cell(value: str | None) -> str:
    """A cell of COPY's text format."""
    return r"\N" if value is None else "".join(ESCAPES.get(character, character) for character in value)


def copied(rows: Sequence[Cells]) -> str:
    """A table in COPY's text format."""
    return "".join("\t".join(map(copied_cell, row)) + "\n" for row in lines(rows))


def literal(value: Any) -> str:
    """A constant as pg_dump and people write it."""
    text = printed(value)
    if text is None:
        return "NULL"
    if isinstance(value, int):
        return text
    if "\\" in text:
        return " E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    if "'" in text and "$" not in text:
        return f"$q${text}$q$"
    return "'" + text.replace("'", "''") + ("'::jsonb" if isinstance(value, list) else "'")


def inserted(rows: Sequence[Cells], head: str, *, at_once: bool) -> str:
    """INSERT statements, one a row or one for all."""
    values = [f"({', '.join(literal(cells[name]) for name in SEED_COLUMNS)})" for cells in rows]
    if at_once:
        return f"{head} VALUES\n\t" + ",\n\t".join(values) + "\nON CONFLICT DO NOTHING;\n"
    return "".join(f"{head} VALUES {value};\n" for value in values)


def dumped(body: str) -> str:
    """A dump that pg_dump could have written around the data of the table."""
    columns = "".join(f"    {name} text,\n" for name in SEED_COLUMNS[1:])
    return f"{BEFORE}{columns}    PRIMARY KEY (id)\n);\n{OTHERS}{body}{AFTER}"


BEFORE = """--
-- PostgreSQL database dump
--

\\restrict abc

SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.f() RETURNS trigger AS $$ BEGIN; 'it; COPY x FROM stdin; $$ LANGUAGE plpgsql;
CREATE TABLE public.generated_images (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT c CHECK ((id IS NOT NULL)),
"""
OTHERS = """COPY public.datasets (id, name) FROM stdin;
1\tit's \\\\.
\\.

INSERT INTO public.datasets VALUES (1, 'a;''b(');

"""
AFTER = """

ALTER TABLE ONLY public.generated_images ADD CONSTRAINT x PRIMARY KEY (id);

\\unrestrict abc
"""
NAMES = ", ".join(SEED_COLUMNS)
QUOTED_NAMES = ", ".join(f'"{name}"' for name in SEED_COLUMNS)
ALWAYS: dict[str, Callable[[list[Cells]], str]] = {
    "csv": lambda rows: by_csv_module(rows),
    "csv that quotes all": lambda rows: (
        by_csv_module(rows, quoting=csv.QUOTE_NOTNULL) if hasattr(csv, "QUOTE_NOTNULL") else by_csv_module(rows)
    ),
    "csv in capitals": lambda rows: by_csv_module(rows, [name.upper().replace("_", " ") for name in SEED_COLUMNS]),
    "csv without a header": lambda rows: by_csv_module(rows, None),
    "semicolons": lambda rows: by_csv_module(rows, delimiter=";"),
    "semicolons without a header": lambda rows: by_csv_module(rows, None, delimiter=";"),
    "sep": lambda rows: "sep=;\r\n" + by_csv_module(rows, delimiter=";"),
    "dump": lambda rows: dumped(f"COPY public.generated_images ({NAMES}) FROM stdin;\n{copied(rows)}\\.\n"),
    "dump with quoted names": lambda rows: dumped(
        f'COPY "public"."generated_images" ({QUOTED_NAMES}) FROM stdin;\n{copied(rows)}\\.\n'
    ),
    "inserts": lambda rows: dumped(inserted(rows, "INSERT INTO public.generated_images", at_once=False)),
    "rows per insert": lambda rows: dumped(
        inserted(rows, f'INSERT INTO "public"."generated_images" ({QUOTED_NAMES})', at_once=True)
    ),
    "script": lambda rows: inserted(rows, f"insert into generated_images ({NAMES})", at_once=True),
    "json lines": lambda rows: "".join(json.dumps(cells) + "\n" for cells in rows),
    "json array": lambda rows: json.dumps(rows),
    "json_agg": lambda rows: "[" + ", \n ".join(json.dumps(cells, ensure_ascii=False) for cells in rows) + "]\n",
    "pretty json": lambda rows: json.dumps(rows, indent=2),
    "pretty objects": lambda rows: "\n".join(json.dumps(cells, indent=2) for cells in rows),
    "row_to_json in psql": lambda rows: (
        " row_to_json \n-----\n" + "".join(f" {json.dumps(cells)}\n" for cells in rows) + "(2 rows)\n\n"
    ),
    "row_to_json as csv": lambda rows: (
        "row_to_json\n" + "".join('"' + json.dumps(cells).replace('"', '""') + '"\n' for cells in rows)
    ),
}
"""What can be read in one way only."""
OFTEN: dict[str, Callable[[list[Cells]], str]] = {
    "text": copied,
    "text with a header": lambda rows: "\t".join(SEED_COLUMNS) + "\n" + copied(rows),
    "tabs": lambda rows: by_csv_module(rows, delimiter="\t"),
    "bars": lambda rows: by_csv_module(rows, delimiter="|"),
    "text with commas": lambda rows: "".join(
        ",".join(copied_cell(cell).replace(",", "\\,") for cell in row) + "\n" for row in lines(rows)
    ),
    "row_to_json by copy": lambda rows: "".join(copied_cell(json.dumps(cells)) + "\n" for cells in rows),
    "json_agg by copy": lambda rows: copied_cell("[" + ", \n ".join(map(json.dumps, rows)) + "]") + "\n",
    "unaligned": lambda rows: (
        "|".join(SEED_COLUMNS)
        + "\n"
        + "".join("|".join(cell or "" for cell in row) + "\n" for row in lines(rows))
        + f"({len(rows)} rows)\n"
    ),
}
"""What can happen to be read in more than one way, and is refused then."""
