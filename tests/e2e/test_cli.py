"""The operator's command as a person at a terminal meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from local.aws import environment as account
from local.credentials import Credentials
from tests.e2e.test_api import Client
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.conftest import Service

COMMAND = Path(sys.executable).with_name("imagetrail")
HOME_ALONE = {
    "PATH": "/usr/bin:/bin",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

NO_ENDPOINT = account(Credentials("AKIANOBODY", "wrong")) | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


def imagetrail(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = HOME_ALONE | environment
    return subprocess.run(
        [COMMAND, *words], capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False
    )


def operator(service: Service) -> dict[str, str]:
    """The environment in which the local stack is a deployed one."""
    return account(service.stack.credentials) | {"AWS_ENDPOINT_URL": service.stack.endpoint}


def test_help_names_every_command() -> None:
    done = imagetrail("--help")
    assert done.returncode == 0
    for word in ("check", "recost", "recover", "make run", "--stack", "DATA_DIR", "Exit codes"):
        assert word in done.stdout
    assert "--apply" in imagetrail("recost", "-h").stdout


def test_recost_by_data_folder_and_by_name(service: Service) -> None:
    assert Client(service.url).generate(format="jpg").status == 201
    here = imagetrail("recost", DATA_DIR=str(service.folder.path))
    assert here.returncode == 0, here.stderr
    rows = [line.split() for line in here.stdout.splitlines()]
    assert rows[0][:3] == ["model", "records", "changed"]
    assert rows[1][0] == "procedural"
    assert int(rows[1][1]) >= 1
    assert rows[-1] == ["total", rows[1][1], "0", "$0.000", "$0.000"]
    there = imagetrail("recost", "--stack", "imagetrail", **operator(service))
    assert (there.returncode, there.stdout) == (0, here.stdout), there.stderr


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ([], {"DATA_DIR": "/nowhere/at/all"}, "no local stack runs on the data in /nowhere/at/all; start it"),
        (["--region", "eu-central-1"], {}, "--region and --profile say where a stack is: name it with --stack"),
        (["--stack", "x"], {}, "the stack's region is not known; give it with --region"),
        (["--stack", "x", "--region", "eu-central-1"], {}, "there are no AWS credentials"),
        (["--stack", "x", "--profile", "nobody"], {}, "profile (nobody) could not be found"),
        (["--stack", "x"], NO_ENDPOINT, "AWS cannot be asked"),
    ],
)
def test_what_stands_in_the_way_is_said(words: list[str], environment: dict[str, str], said: str) -> None:
    done = imagetrail("recost", *words, **environment, AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lost_record_is_named_and_recovered(service: Service) -> None:
    image = Client(service.url).generate(format="webp").json
    dynamodb, table = service.stack.client("dynamodb"), service.stack.outputs["ImagesTable"]
    dynamodb.delete_item(TableName=table, Key={"id": {"S": image["id"]}})
    folder = str(service.folder.path)
    lost = imagetrail("check", DATA_DIR=folder)
    assert lost.returncode == 1, lost.stderr
    assert f"pixels without a record\timages/{image['id']}.webp" in lost.stdout.splitlines()
    recovered = imagetrail("recover", DATA_DIR=folder)
    assert image["id"] not in recovered.stdout, recovered.stdout  # others keep things in this bucket that are no images
    assert recovered.returncode == (1 if recovered.stdout else 0), recovered.stderr
    assert "1 recovered" in recovered.stderr
    assert Client(service.url).get(f"/ai/generated-images/{image['id']}").json["prompt"] == image["prompt"]
    assert image["id"] not in imagetrail("check", "--deep", DATA_DIR=folder).stdout


def test_a_check_that_cannot_be_made_has_a_code_of_its_own(service: Service) -> None:
    wrong = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "wrong"}
    done = imagetrail("check", "--stack", "imagetrail", **operator(service) | wrong)
    assert done.returncode == 2
    assert "imagetrail" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stack_that_there_is_not(service: Service) -> None:
    done = imagetrail("recost", "--stack", "nowhere", **operator(service))
    assert done.returncode == 2
    assert "there is no stack nowhere in us-east-1; --region looks elsewhere" in done.stderr


def test_a_history_is_brought_along(service: Service, tmp_path: Path) -> None:
    image = Client(service.url).generate().json
    new, bad, user = str(uuid4()), str(uuid4()), str(uuid4())
    table = tmp_path / "history.csv"
    table.write_text(
        "id,prompt,full_prompt,image_url,created_at\n"
        f'{new},"a ""quiet"" harbour",a quiet harbour,{image["image_url"]},2026-02-02 10:30:00+00\n'
        f"{bad},a quiet harbour,a quiet harbour,http://10.0.0.1/a.png,2026-02-02 10:30:00\n"
    )
    words = ("import", "--allow-loopback", "--user", user, str(table))
    done = imagetrail(*words, DATA_DIR=str(service.folder.path))
    assert done.returncode == 1, done.stderr
    assert "1 imported, 0 were here, 1 refused" in done.stderr
    report = (tmp_path / "history.csv.refused.csv").read_text()
    reason = (
        "must be a time with its zone, such as 2026-02-02 10:30:00+00 or 2026-02-02T10:30:00Z; it has no zone "
        "(given: '2026-02-02 10:30:00')"
    )
    assert report.splitlines() == ["line,id,column,reason", f'3,{bad},created_at,"{reason}"']
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    again = imagetrail(*words, DATA_DIR=str(service.folder.path))
    assert (again.returncode, "0 imported, 1 were here, 0 refused" in again.stderr) == (0, True), again.stderr
    assert not (tmp_path / "history.csv.refused.csv").exists()
    assert Client(service.url).get(f"/images/{new}.png").status == 200


def test_a_file_that_is_no_table_is_said_to_be_none(service: Service, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(b"PGDMP\x01\x0e")
    done = imagetrail("import", str(tmp_path / "dump"), DATA_DIR=str(service.folder.path))
    assert done.returncode == 2
    assert "pg_restore -f dump.sql" in done.stderr


def test_options_say_how_a_table_is_written(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "history.txt"
    table.write_text(f'{uuid4()}\t"a fox"\t\t2026-02-02 10:30:00+00\n')
    words = ("import", "--columns", "id,prompt,style,created_at", str(table))
    done = imagetrail(*words, DATA_DIR=str(service.folder.path))
    assert (done.returncode, "--format text --delimiter tab" in done.stderr) == (2, True), done.stderr
    done = imagetrail(*words, "--format", "csv", "--delimiter", "tab", DATA_DIR=str(service.folder.path))
    assert (done.returncode, "1 imported" in done.stderr) == (0, True), done.stderr
    done = imagetrail(*words, "--delimiter", "ab", DATA_DIR=str(service.folder.path))
    assert (done.returncode, "--delimiter is one character" in done.stderr) == (2, True), done.stderr


def test_an_import_says_which_file_is_at_fault(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "history.csv"
    table.write_text(f"id,prompt,created_at\n{uuid4()},x,yesterday\n")
    nowhere = tmp_path / "nowhere" / "report.csv"
    for words, said in (
        ([str(table), "--report", str(nowhere)], f"the report {nowhere} cannot be written: No such file or directory"),
        ([str(table), "--report", str(table)], "--report would be written over FILE"),
    ):
        done = imagetrail("import", *words, DATA_DIR=str(service.folder.path))
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert table.read_text().startswith("id,prompt")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "nosuch"], "there is no model nosuch; there are bedrock, "),
        (["--from", "2026-11-01", "--to", "2026-10-01"], "must be later than --from"),
        (["--from", "2026-11-01", "--to", "2026-11-01"], "must be later than --from"),
        (["--to", "0001-01-01"], "must be later than --from"),
    ],
)
def test_a_recost_of_nothing_is_refused(service: Service, words: list[str], said: str) -> None:
    done = imagetrail("recost", *words, DATA_DIR=str(service.folder.path))
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_record_that_cannot_be_read_is_named(service: Service) -> None:
    image = Client(service.url).generate().json
    dynamodb, table, key = service.stack.client("dynamodb"), service.stack.outputs["ImagesTable"], {"S": image["id"]}
    dynamodb.update_item(
        TableName=table,
        Key={"id": key},
        UpdateExpression="SET cost_usd = :lots",
        ExpressionAttributeValues={":lots": {"S": "lots"}},
    )
    try:
        for word in ("recost", "check"):
            done = imagetrail(word, DATA_DIR=str(service.folder.path))
            assert done.returncode == 1, done.stderr
            assert f"a record whose cost_usd cannot be read\t{image['id']}" in done.stdout.splitlines()
    finally:
        dynamodb.delete_item(TableName=table, Key={"id": key})
