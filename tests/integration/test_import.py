"""Histories from elsewhere, on real tables and a real bucket: what comes in, what is refused, and what stays."""

from __future__ import annotations

import csv
import os
import random
import shutil
import subprocess
import tempfile
from contextlib import closing, contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import tables
from cli.fetching import Fetcher
from cli.importing import Import, Outcome, Report
from imagetrail import moments, pixels, provenance
from imagetrail.callers import Caller
from imagetrail.dynamo import Expression
from imagetrail.exporting import Order
from imagetrail.history import HistoryQuery
from imagetrail.records import COLUMNS, SEED_COLUMNS, image_key, index_keys, stored, thumbnail_key
from imagetrail.settings import Settings
from imagetrail.tombstones import tombstone
from imagetrail.wiring import Deployment
from tests.integration.test_export import put, rows
from tests.loopback import listening
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.dynamo import Item
    from tests.conftest import Stack

URL = "http://localhost:3000"
TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.text("'=+-@\t\r\n\",; \\N", max_size=8)
PIXELS = pixels.encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="36"><rect width="40" height="9" fill="red"/></svg>',
    64, 36, "png", trusted_svg=True,
).data  # fmt: skip
BROKEN = {
    "/start.jpg": b"\xff\xd8\xff",
    "/signature.png": b"\x89PNG\r\n\x1a\n",
    "/empty.webp": b"RIFF\4\0\0\0WEBP",
    "/half.png": PIXELS[: len(PIXELS) * 2 // 3],
}


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    """As an operator has it."""
    given = stack.environment("ExportImages")
    given.pop("AWS_SESSION_TOKEN", None)
    with closing(Deployment(Settings.from_environment(given))) as deployment:
        yield deployment


@pytest.fixture
def alice() -> Caller:
    return Caller(str(uuid4()))


class Pictures(BaseHTTPRequestHandler):
    """The storage where the images were."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        known = {"/good.png": PIXELS, "/text.png": b"no picture", "/cut.jpg": b"\xff\xd8\xff", **BROKEN}
        body = known.get(self.path.partition("?")[0], b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def storage() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    with listening(type("Storage", (Pictures,), {"asked": asked})) as url:
        yield url, asked


def seed(caller: Caller, **cells: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "user_id": caller.user_id,
        "prompt": "a red fox",
        "full_prompt": "a red fox, photorealistic",
        "image_url": None,
        "dataset_id": None,
        "style": "photorealistic",
        "aspect_ratio": "16:9",
        "quality": "standard",
        "format": "png",
        "resolution": "2K",
        "reference_images_count": 3,
        "unique_visual_elements": '["wooden tables", "pendant lights"]',
        "created_at": "2026-02-02 10:30:00+00",
        **cells,
    }


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, SEED_COLUMNS)
        writer.writeheader()
        writer.writerows(table)
    return path


def run(deployment: Deployment, path: Path, **options: Any) -> tuple[Report, list[Outcome]]:
    refused: list[Outcome] = []
    with tables.opened(path) as table:
        asked = {"fetcher": Fetcher(allow_loopback=True), **options}
        report = Import(deployment=deployment, table=table, tell=refused.append, **asked).run(lambda _: None)
    return report, refused


def exported(deployment: Deployment, caller: Caller, file_format: str = "csv") -> bytes:
    order = Order(
        user_id=caller.user_id,
        is_admin=False,
        format=file_format,
        bom=False,
        filters={"status": "all", "order": "asc"},
        public_url=URL,
    )
    data = deployment.exporting.export(order, later=False)
    assert isinstance(data, bytes)
    return data


def wipe(deployment: Deployment, caller: Caller, *, with_objects: bool = True) -> None:
    for row in rows(exported(deployment, caller)):
        deployment.dynamo.delete_many(deployment.settings.images_table, [row["id"]])
        if with_objects:
            for key in (image_key(row), thumbnail_key(row)):
                deployment.bucket.delete(key)


def test_a_seed_row_becomes_a_record_with_its_picture(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    with storage() as (url, asked):
        row = seed(alice, image_url=f"{url}/good.png", dataset_id=str(uuid4()))
        path = write(tmp_path / "table.csv", [row])
        assert run(deployment, path) == (Report(imported=1), [])
        (image,) = deployment.history.page(alice, HistoryQuery(), URL)["images"]
        assert {name: image[name] for name in SEED_COLUMNS} == row | {
            "image_url": f"{URL}/images/{row['id']}.png",
            "unique_visual_elements": ["wooden tables", "pendant lights"],
            "created_at": "2026-02-02T10:30:00.000000Z",
        }
        data = deployment.bucket.get(f"images/{row['id']}.png") or b""
        assert (image["width"], image["height"], image["bytes"]) == (64, 36, len(data))
        assert provenance.extract(data)["prompt"] == "a red fox"
        assert deployment.bucket.get(f"thumbnails/{row['id']}.webp")
        assert (image["status"], image["provider"], image["favorite"]) == ("succeeded", None, False)
        assert len(deployment.history.page(alice, HistoryQuery(dataset_id=row["dataset_id"]), URL)["images"]) == 1
        before = exported(deployment, alice, "zip")
        assert run(deployment, path) == (Report(standing=1), [])
        assert exported(deployment, alice, "zip") == before
        assert asked == ["/good.png"]


def test_a_picture_of_another_format_is_encoded_anew(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    with storage() as (url, _):
        row = seed(alice, image_url=f"{url}/good.png", format="jpeg")
        run(deployment, write(tmp_path / "table.csv", [row]))
    data = deployment.bucket.get(f"images/{row['id']}.jpg") or b""
    assert data.startswith(b"\xff\xd8\xff")
    assert provenance.extract(data)["id"] == row["id"]


def test_refused_rows_are_named_and_the_others_come_in(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    with storage() as (url, _):
        table = [
            seed(alice, prompt="two\nlines"),
            seed(alice, aspect_ratio="2:1", created_at="yesterday"),
            seed(alice, image_url=f"{url}/gone.png"),
            seed(alice, image_url=f"{url}/text.png"),
            seed(alice, image_url=f"{url}/cut.jpg"),
            seed(alice, image_url="http://169.254.169.254/latest/meta-data"),
            seed(alice, image_url="file:///etc/passwd"),
            seed(alice, prompt="fine"),
        ]
        path = write(tmp_path / "table.csv", table)
        report, refused = run(deployment, path)
        assert report == Report(imported=2, refused=6)
        told = [(outcome.line, [column for column, _ in outcome.reasons]) for outcome in refused]
        assert told == [(4, ["aspect_ratio", "created_at"]), *((line, ["image_url"]) for line in (5, 6, 7, 8, 9))]
        assert [reasons[0][1] for reasons in (outcome.reasons for outcome in refused[1:])] == [
            "gives no picture: its server answers 404",
            "gives no picture: The image is not a PNG, JPEG or WebP file. Save it as one of these.",
            "gives no picture: The image is damaged or incomplete. Use an intact copy of it.",
            "gives no picture: its host is not on the public internet",
            "gives no picture: its URL must begin with http:// or https://",
        ]
        refusing = run(deployment, path, fetcher=Fetcher())
        assert (refusing[0].standing, refusing[0].refused) == (2, 6)
    assert {row["prompt"] for row in rows(exported(deployment, alice))} == {"two\nlines", "fine"}


def test_broken_pictures_refuse_their_rows_alone(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    with storage() as (url, _):
        table = [seed(alice, image_url=f"{url}{path}") for path in (*BROKEN, "/good.png")]
        report, refused = run(deployment, write(tmp_path / "table.csv", table))
    assert report == Report(imported=1, refused=len(BROKEN))
    assert {outcome.reasons[0][0] for outcome in refused} == {"image_url"}
    assert all(outcome.reasons[0][1].startswith("gives no picture: ") for outcome in refused)


def test_a_damaged_picture_in_an_archive_refuses_its_row_alone(
    deployment: Deployment, alice: Caller, tmp_path: Path
) -> None:
    made = [own(alice, number, "x") for number in range(2)]
    settle(deployment, made)
    archive = bytearray(exported(deployment, alice, "zip"))
    wipe(deployment, alice)
    name = image_key(made[0]).encode()
    archive[archive.index(name) + len(name) + 40] ^= 0xFF
    (tmp_path / "export.zip").write_bytes(archive)
    report, refused = run(deployment, tmp_path / "export.zip")
    assert report == Report(imported=1, refused=1)
    assert refused[0].reasons == [("image_url", f"gives no picture: {image_key(made[0])} in the archive is damaged")]


def test_pictures_may_come_later(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    with storage() as (url, asked):
        path = write(tmp_path / "table.csv", [seed(alice, image_url=f"{url}/good.png"), seed(alice)])
        assert run(deployment, path, with_images=False)[0] == Report(imported=2)
        assert run(deployment, path, with_images=False)[0] == Report(standing=2)
        assert asked == []
        assert {row["image_url"] for row in rows(exported(deployment, alice))} == {""}
        assert run(deployment, path)[0] == Report(completed=1, standing=1)
        assert run(deployment, path)[0] == Report(standing=2)
        assert sum(bool(row["image_url"]) for row in rows(exported(deployment, alice))) == 1
        assert asked == ["/good.png"]


def test_a_record_that_differs_is_left_as_it_is(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    row = seed(alice)
    run(deployment, write(tmp_path / "table.csv", [row]))
    before = exported(deployment, alice)
    path = write(tmp_path / "other.csv", [row | {"prompt": "another"}, row | {"user_id": str(uuid4())}, row, row])
    report, refused = run(deployment, path)
    assert report == Report(standing=2, refused=2)
    assert [outcome.reasons[0][0] for outcome in refused] == ["prompt", "user_id"]
    assert exported(deployment, alice) == before


def test_a_row_that_is_twice_in_the_file_is_one_record(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    row = seed(alice)
    report, refused = run(deployment, write(tmp_path / "table.csv", [row] * 20))
    assert refused == []
    assert (report.imported, report.standing) == (1, 19)
    assert len(rows(exported(deployment, alice))) == 1


def test_all_of_it_may_belong_to_one_user(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", [seed(Caller(None)), seed(Caller(str(uuid4())))])
    run(deployment, path, user_id=alice.user_id)
    assert len(rows(exported(deployment, alice))) == 2


def test_who_was_erased_does_not_come_back(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    grave = {"id": tombstone(alice.owner), "at": moments.to_text(moments.utc_now())}
    deployment.dynamo.put(deployment.settings.ledger_table, grave, Expression("attribute_not_exists(#id)"))
    report, refused = run(deployment, write(tmp_path / "table.csv", [seed(alice)]))
    assert report == Report(refused=1)
    assert refused[0].reasons[0][0] == "user_id"


def own(caller: Caller, number: int, prompt: str, **columns: Any) -> Item:
    """A record as a generation leaves it, with everything that can be said."""
    at = f"2026-03-01T00:00:{number:02}.000{number:03}Z"
    made: Item = {
        "id": str(UUID(int=random.Random(f"{caller.user_id}{number}").getrandbits(128), version=4)),  # noqa: S311
        "user_id": caller.user_id,
        "prompt": prompt,
        "full_prompt": f"{prompt} ",
        "negative_prompt": prompt,
        "style": prompt,
        "aspect_ratio": "16:9",
        "quality": "high",
        "format": "png",
        "resolution": "1K",
        "reference_images_count": 1,
        "unique_visual_elements": [prompt, ""],
        "created_at": at,
        "error": None,
        "provider": "stability",
        "model": "stability-rest/core",
        "model_id": "core",
        "seed": 4_294_967_294,
        "width": 64,
        "height": 36,
        "cost_usd": 0.0301,
        "generation_ms": 12,
        "parent_id": str(uuid4()),
        "dataset_id": str(uuid4()),
        "dataset_version": 3,
        "reference_images": [{"key": "references/a.png", "sha256": "0" * 64}],
        "dropped_params": [],
        "favorite": number % 2 == 0,
        **columns,
    }
    return made | stored(made, PIXELS)


def settle(deployment: Deployment, made: list[Item]) -> None:
    for record in made:
        item = put(record | index_keys(record))
        deployment.dynamo._call("BatchWriteItem", {"RequestItems": {deployment.settings.images_table: [item]}})
        deployment.bucket.put(image_key(record), PIXELS, "image/png", cache_control="", tags={})


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "zip"])
@given(prompts=st.lists(TEXT, min_size=1, max_size=3))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_export_import_export_is_the_same(
    deployment: Deployment, tmp_path: Path, file_format: str, prompts: list[str]
) -> None:
    alice = Caller(str(uuid4()))
    settle(deployment, [own(alice, number, prompt) for number, prompt in enumerate(prompts)])
    before = exported(deployment, alice, file_format)
    path = tmp_path / "export"
    path.write_bytes(before)
    assert run(deployment, path) == (Report(standing=len(prompts)), [])
    wipe(deployment, alice, with_objects=file_format == "zip")
    assert rows(exported(deployment, alice)) == []
    assert run(deployment, path, fetcher=Fetcher()) == (Report(imported=len(prompts)), [])
    assert exported(deployment, alice, file_format) == before
    starred = deployment.history.page(alice, HistoryQuery(favorite=True), URL)["images"]
    assert len(starred) == len(range(0, len(prompts), 2))


def test_failed_generations_come_along(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    made = own(alice, 1, "x") | dict.fromkeys(("image_url", "thumbnail_url", "sha256", "bytes"))
    made |= {"status": "blocked", "error": "content_blocked: no"}
    item = put(made | index_keys(made))
    deployment.dynamo._call("BatchWriteItem", {"RequestItems": {deployment.settings.images_table: [item]}})
    before = exported(deployment, alice)
    (tmp_path / "export.csv").write_bytes(before)
    wipe(deployment, alice)
    assert run(deployment, tmp_path / "export.csv")[0] == Report(imported=1)
    assert exported(deployment, alice) == before


def test_a_picture_that_is_not_that_of_its_record_is_refused(
    deployment: Deployment, alice: Caller, tmp_path: Path
) -> None:
    made = own(alice, 1, "x") | {"sha256": "0" * 64}
    settle(deployment, [made])
    (tmp_path / "export.zip").write_bytes(exported(deployment, alice, "zip"))
    wipe(deployment, alice)
    report, refused = run(deployment, tmp_path / "export.zip")
    assert report == Report(refused=1)
    assert refused[0].reasons[0][0] == "sha256"
    assert deployment.bucket.get(image_key(made)) is None


def test_a_run_that_was_stopped_is_run_again(deployment: Deployment, alice: Caller, tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", [seed(alice) for _ in range(200)])

    class Stopped(Exception):
        pass

    def stop(_share: float) -> None:
        raise Stopped

    with tables.opened(path) as table, pytest.raises(Stopped):
        Import(deployment=deployment, table=table, fetcher=Fetcher(), tell=print).run(stop)
    report, _ = run(deployment, path)
    assert report.imported + report.standing == 200
    assert report.standing >= 64
    assert len(rows(exported(deployment, alice))) == 200


SCHEMA = """
CREATE TABLE generated_images (
    id uuid PRIMARY KEY, user_id uuid, prompt text NOT NULL, full_prompt text NOT NULL, image_url text, dataset_id uuid,
    style text, aspect_ratio text, quality text, format text, resolution text, reference_images_count integer,
    unique_visual_elements jsonb, created_at timestamptz NOT NULL);
CREATE TABLE datasets (id uuid PRIMARY KEY, name text);
INSERT INTO datasets VALUES (gen_random_uuid(), E'tab\\there');
"""


ARRAYS = (
    "(SELECT id, user_id, prompt, full_prompt, image_url, dataset_id, style, aspect_ratio, quality, format, "
    "resolution, reference_images_count, CASE WHEN unique_visual_elements IS NOT NULL THEN "
    "ARRAY(SELECT jsonb_array_elements_text(unique_visual_elements)) END AS unique_visual_elements, created_at "
    "FROM generated_images)"
)


class Postgres:
    """A server of its own, on a socket in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, name: str, *words: str, stdin: str = "") -> str:
        command = [str(program(name)), *words]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        environment = {"PGHOST": str(self.folder), "PGDATABASE": "postgres", "PGUSER": "trail", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command,
            input=stdin.encode(),
            env={"PATH": "/usr/bin:/bin", **environment},
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()  # with its line ends as they are

    def sql(self, text: str) -> None:
        self.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", stdin=text)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="pg") as name:  # a socket's path must be short, and nobody may enter it
        folder = Path(name)
        server = Postgres(folder)
        if os.getuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        data = str(folder / "data")
        server.run("initdb", "-D", data, "-U", "trail", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c timezone='Asia/Kolkata'"
        server.run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


NASTY = [
    "plain", "", 'say "hi", you', "two\nlines\r\nand\rmore", "tab\there", "back\\slash \\N \\. \\n", "'", "=1+1", "\\.",
    "\\N", " spaces ", "ünï \U0001f98a \u200f", "{a,b}", "NULL", "\x01\x7f", ",", '"', "''=x",
]  # fmt: skip


@pytest.mark.needs("initdb")
def test_every_column_of_a_real_postgres_comes_in(postgres: Postgres, deployment: Deployment, tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311
    made: dict[str, list[str | None]] = {}
    for number, text in enumerate(NASTY):
        made[str(UUID(int=chance.getrandbits(128), version=4))] = [
            text,
            text[::-1],
            NASTY[number - 1] if number % 3 else None,
            f"2026-0{1 + number % 9}-02 10:30:00.{chance.randrange(10**6):06}+0{number % 9}:30",
        ]

    def literal(value: str | None) -> str:
        return "NULL" if value is None else "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

    statements = [SCHEMA]
    for image_id, (prompt, full, style, at) in made.items():
        elements = f"jsonb_build_array({literal(prompt)}::text, {literal(full)}::text)"
        statements.append(
            f"INSERT INTO generated_images VALUES ('{image_id}', gen_random_uuid(), {literal(prompt)}, "  # noqa: S608
            f"{literal(full)}, NULL, gen_random_uuid(), {literal(style)}, '4:3', 'high', 'webp', '4K', 2, "
            f"{'NULL' if style is None else elements}, '{at}');"
        )
    postgres.sql("\n".join(statements))
    columns = ",".join(SEED_COLUMNS)
    rows = "(SELECT row_to_json(t) FROM generated_images t)"
    styles = {"german": "German", "words": "Postgres, MDY", "days": "Postgres, DMY"}
    copies = {
        "german.csv": ("generated_images", "WITH (FORMAT csv, HEADER)"),
        "words.txt": ("generated_images", ""),
        "days.txt": ("generated_images", ""),
        "rows.jsonl": (rows, ""),
        "rows.csv": (rows, "WITH (FORMAT csv)"),
        "array.json": ("(SELECT json_agg(t) FROM generated_images t)", ""),
        "array-of-texts.txt": (ARRAYS, "WITH (FORMAT csv, HEADER)"),
        "bars.csv": ("generated_images", "WITH (FORMAT csv, HEADER, DELIMITER '|')"),
        "marked.csv": ("generated_images", "WITH (FORMAT csv, HEADER, NULL '\\N', DELIMITER ';')"),
        "commas.txt": ("generated_images", "WITH (DELIMITER ',')"),
        "named.txt": ("generated_images", "WITH (HEADER)"),
        "header.csv": ("generated_images", "WITH (FORMAT csv, HEADER)"),
        "bare.csv": (f"generated_images ({columns})", "WITH (FORMAT csv)"),
        "quoted.csv": ("generated_images", "WITH (FORMAT csv, HEADER, FORCE_QUOTE *)"),
        "table.txt": ("generated_images", ""),
    }
    for name, (source, options) in copies.items():
        style = styles.get(name.partition(".")[0], "ISO")
        postgres.sql(
            f"SET datestyle = '{style}'; SET timezone = '{'Asia/Kolkata' if style == 'ISO' else 'UTC'}';\n"
            f"\\copy {source} TO '{postgres.folder}/{name}' {options}"
        )
    programs = {
        "dump.sql": ("pg_dump",),
        "quoted.sql": ("pg_dump", "--quote-all-identifiers", "--column-inserts", "--rows-per-insert=5"),
        "inserts.sql": ("pg_dump", "--inserts", "--data-only"),
        "psql.jsonl": ("psql", "-qXA", "-c", "SELECT row_to_json(t) FROM generated_images t"),
        "psql.json": ("psql", "-qXAt", "-c", "SELECT json_agg(t) FROM generated_images t"),
    }
    for name, words in programs.items():
        (tmp_path / name).write_text(postgres.run(*words), newline="")
    paths = [*(postgres.folder / name for name in copies), *(tmp_path / name for name in programs)]
    told = []
    for path in paths:
        owner = Caller(str(uuid4()))
        report, refused = run(deployment, path, user_id=owner.user_id)
        assert (report, refused) == (Report(imported=len(NASTY)), []), path
        found = {row["id"]: row for row in _records(deployment, owner)}
        assert set(found) == set(made)
        for image_id, (prompt, full, style, at) in made.items():
            row = found[image_id]
            assert (row["prompt"], row["full_prompt"], row["style"]) == (prompt, full, style)
            assert row["created_at"] == moments.to_text(datetime.fromisoformat(at or ""))
            assert row["unique_visual_elements"] == ([prompt, full] if style is not None else None)
            assert (row["aspect_ratio"], row["quality"], row["format"], row["resolution"]) == (
                "4:3",
                "high",
                "webp",
                "4K",
            )
            assert (row["reference_images_count"], row["image_url"], row["status"]) == (2, None, "succeeded")
            assert str(UUID(row["dataset_id"])) == row["dataset_id"]
        told.append([{name: row[name] for name in COLUMNS if name != "user_id"} for row in found.values()])
        wipe(deployment, owner)
    assert all(other == told[0] for other in told)


def _records(deployment: Deployment, caller: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment.history.page(caller, HistoryQuery(limit=200), "")["images"]
    return found
