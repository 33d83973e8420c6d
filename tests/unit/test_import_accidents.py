"""Files that an import read as something else than they are, or that ended it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cli import tables
from cli.importing import REFUSED, Outcome
from cli.refusals import Refusals
from cli.rows import record
from imagetrail import pixels
from local.problem import ProblemError
from tests.unit.pictures import png

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "id,prompt,created_at\n"
TIME = "2026-02-02 10:30:00+00"


def line(number: int, prompt: str) -> str:
    return f"4e7a5c7e-52a9-4d0a-9d0e-{number:012x},{prompt},{TIME}\n"


def prompts(path: Path, content: str | bytes, **options: Any) -> list[str]:
    """What is read of a table; the reason in place of a row that is refused."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with tables.opened(path, options=tables.Options(**options)) as table:
        return [
            row.trouble or record(row.cells or {}, is_own=table.is_own, user_id=None)["prompt"] for row in table.rows
        ]


@pytest.mark.parametrize("odd", ['a 5" pipe', 'a 5" pipe at C:\\new\\table', '12" and 14" vinyl'])
@pytest.mark.parametrize("at", [0, 200, 399])
def test_a_quote_within_a_cell_belongs_to_its_text(tmp_path: Path, odd: str, at: int) -> None:
    written = [f'"fox ""{n}"", red"' for n in range(400)]
    written[at] = odd
    expected = [f'fox "{n}", red' for n in range(400)]
    expected[at] = odd
    table = "".join(line(n, prompt) for n, prompt in enumerate(written))
    assert prompts(tmp_path / "table", HEADER + table) == expected


def test_a_quote_that_is_never_closed_costs_its_own_row(tmp_path: Path) -> None:
    table = HEADER + line(0, '"a fox"') + line(1, '"b')
    assert prompts(tmp_path / "table", table) == ["a fox", "has a quote that is not closed"]


def test_a_blank_before_a_quote_is_no_text(tmp_path: Path) -> None:
    table = HEADER + line(0, '"a fox"') + line(1, ' "a, b"').replace("a, b", "a b")
    assert prompts(tmp_path / "table", table) == ["a fox", "has a blank before a quote"]


def test_cells_that_are_quoted_and_escaped_are_refused(tmp_path: Path) -> None:
    header = "id,prompt,style,created_at\n"
    rows = (line(n, r'"a \"nice\" dog",\N') for n in range(3))
    with pytest.raises(ProblemError, match="quoted and escaped"):
        prompts(tmp_path / "table", header + "".join(rows))


def test_half_a_character_in_a_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table"
    columns = "id, prompt, unique_visual_elements, created_at"
    values = [
        f"'4e7a5c7e-52a9-4d0a-9d0e-00000000000{n}', 'a', ARRAY[{e}], '{TIME}'" for n, e in ((1, "E'\\xff'"), (2, "'b'"))
    ]
    insert = f"INSERT INTO generated_images ({columns}) VALUES "  # noqa: S608
    rows = prompts(path, "".join(f"{insert}({one});\n" for one in values))
    assert len(rows) == 2
    assert "damaged" in rows[0]
    assert rows[1] == "a"


def test_a_reason_with_half_a_character_is_reported(tmp_path: Path) -> None:
    with Refusals(tmp_path / "refused.csv") as refusals:
        refusals.tell(Outcome(3, REFUSED, "\udce9", [("prompt", "lower('caf\udce9')")]))
    assert b"lower('caf?')" in (tmp_path / "refused.csv").read_bytes()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_given_encoding_needs_no_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    table = (HEADER + line(0, "\u732b\u306e\u7d75")).encode(
        encoding if encoding[-2:] in ("le", "be") else f"{encoding}-le"
    )
    given = "utf-32" if encoding == "utf-32" else "utf-16"
    assert prompts(tmp_path / "table", table, encoding=given) == ["\u732b\u306e\u7d75"]


@pytest.mark.parametrize("encoding", ["idna", "punycode", "unicode-escape", "base64", "nonsense"])
def test_what_is_no_encoding_of_files_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ProblemError, match="encoding"):
        prompts(tmp_path / "table", HEADER + line(0, "a"), encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "K\u016f\u0148 b\u011b\u017e\u00ed p\u0159es \u0161irok\u00e9 \u017elut\u00e9 pole"),
        ("cp1250", "\u0151szi erd\u0151 felett rep\u00fcl\u0151 h\u0171s\u00e9ges s\u00f3lyom"),
        ("cp1257", "\u0161uo b\u0117ga per \u017eali\u0105 piev\u0105 \u012f mi\u0161k\u0105"),
        ("cp874", "\u0e41\u0e21\u0e27\u0e2a\u0e35\u0e41\u0e14\u0e07\u0e43\u0e19\u0e2a\u0e27\u0e19"),
    ],
)
def test_what_reads_like_another_language_needs_its_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    table = (HEADER + "".join(line(n, text) for n in range(20))).encode(encoding)
    with pytest.raises(ProblemError, match="--encoding"):
        prompts(tmp_path / "table", table)
    assert prompts(tmp_path / "table", table, encoding=encoding) == [text] * 20


@pytest.mark.parametrize(
    "text",
    [
        "Caf\u00e9 cr\u00e8me br\u00fbl\u00e9e \u00e0 No\u00ebl, o\u00f9 \u00e7a",
        "S\u00fc\u00dfe \u00c4pfel und \u00d6l im gro\u00dfen F\u00e4sschen",
        "El ni\u00f1o y la ci\u00fce\u00f1a en la monta\u00f1a",
        "Cora\u00e7\u00f5es e ma\u00e7\u00e3s no p\u00e3o",
        "citt\u00e0 pi\u00f9 bella, perch\u00e9 cos\u00ec",
        "Sm\u00f6rg\u00e5s p\u00e5 \u00e4ng, bl\u00e5b\u00e6r og \u00f8l",
    ],
)
def test_western_languages_are_read_as_they_are(tmp_path: Path, text: str) -> None:
    table = (HEADER + "".join(line(n, f'"{text}"') for n in range(20))).encode("cp1252")
    assert prompts(tmp_path / "table", table) == [text] * 20


@pytest.mark.parametrize("end", ["", ",", "\n", ",\n"])
def test_an_array_that_is_cut_between_two_objects_says_so(tmp_path: Path, end: str) -> None:
    rows = [{"id": f"4e7a5c7e-52a9-4d0a-9d0e-00000000000{n}", "prompt": "a", "created_at": TIME} for n in (1, 2)]
    whole = json.dumps(rows)
    assert prompts(tmp_path / "table", whole) == ["a", "a"]
    found = prompts(tmp_path / "table", whole.removesuffix("]") + end)
    assert found[:2] == ["a", "a"]
    assert "cut off" in found[2]


@pytest.mark.parametrize("sides", [(0, 0), (0, 5), (5, 0)])
def test_a_picture_without_pixels_is_undecodable(sides: tuple[int, int]) -> None:
    source = png(*sides)
    for take in (pixels.measure, pixels.thumbnail, pixels.accept, lambda data: pixels.convert(data, "png")):
        with pytest.raises(pixels.UndecodableImage):
            take(source)
