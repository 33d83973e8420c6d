"""The emulator's memory on disk: nothing that was acknowledged is lost to a kill, whenever it comes."""

import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imagetrail.dynamo import to_attributes
from imagetrail.records import index_keys
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.aws import BotoCoreError, ClientError
from local.emulator.disk import Disk
from local.emulator.journal import DamagedJournalError, Journal
from local.emulator.launch import emulator
from local.stack import Stack, deploy
from local.testing import deployed
from tests.integration.analytics import record
from tests.integration.standing import PARAMETERS, started
from tests.waiting import until

SAVED_WITHIN = 2.0  # seconds

Item = dict[str, Any]
Open = Callable[[Path], Journal]


def ledger_item(name: str) -> Item:
    return {"id": {"S": name}, "note": {"S": "x" * 500}}


def ids(stack: Stack) -> set[str]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["LedgerTable"])
    return {item["id"]["S"] for page in pages for item in page["Items"]}


class Writers:
    """Threads that write until the emulator is gone, and remember what was acknowledged."""

    def __init__(self, stack: Stack) -> None:
        self.items: set[str] = set()
        self.pairs: list[tuple[str, str]] = []
        self.objects: set[str] = set()
        self.deleted: set[str] = set()
        self._stack = stack
        work = (self._items, self._pairs, self._objects, self._deletions)
        self._threads = [threading.Thread(target=self._until_gone, args=(each,)) for each in work]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _until_gone(self, write: Callable[[str], None]) -> None:
        for number in itertools.count():
            try:
                write(f"{write.__name__}-{number}")
            except BotoCoreError:
                return

    def _items(self, name: str) -> None:
        self._put(name)
        self.items.add(name)

    def _pairs(self, name: str) -> None:
        table = self._stack.outputs["LedgerTable"]
        pair = (f"{name}-left", f"{name}-right")
        self._stack.client("dynamodb").transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": ledger_item(each)}} for each in pair]
        )
        self.pairs.append(pair)

    def _objects(self, name: str) -> None:
        self._stack.client("s3").put_object(
            Bucket=self._stack.outputs["Bucket"], Key=f"images/{name}.png", Body=name.encode(), Tagging="owner=me"
        )
        self.objects.add(name)

    def _deletions(self, name: str) -> None:
        self._put(name)
        self._stack.client("dynamodb").delete_item(
            TableName=self._stack.outputs["LedgerTable"], Key={"id": {"S": name}}
        )
        self.deleted.add(name)

    def _put(self, name: str) -> None:
        self._stack.client("dynamodb").put_item(TableName=self._stack.outputs["LedgerTable"], Item=ledger_item(name))


def test_a_kill_under_load_loses_nothing_acknowledged(seed: Path, data: Path, tmp_path: Path) -> None:
    with started(data) as (stack, machine):
        writers = Writers(stack)
        until(lambda: min(map(len, (writers.items, writers.pairs, writers.objects, writers.deleted))) > 5)
        machine.process.kill()
        writers.join()
    cut = Path(shutil.copytree(data, tmp_path / "cut"))
    with started(data) as (stack, _):
        found = ids(stack)
        assert writers.items <= found
        assert {name for pair in writers.pairs for name in pair} <= found
        assert not writers.deleted & found
        assert stack.client("dynamodb").describe_table(TableName=stack.outputs["LedgerTable"])["Table"][
            "ItemCount"
        ] == len(found)
        for name in writers.objects:
            where = {"Bucket": stack.outputs["Bucket"], "Key": f"images/{name}.png"}
            assert stack.client("s3").get_object(**where)["Body"].read() == name.encode()
            assert stack.client("s3").get_object_tagging(**where)["TagSet"] == [{"Key": "owner", "Value": "me"}]

    # As if it had come in the middle of a transaction's line, and before the last snapshot: all of it, or nothing.
    lines = (cut / "items.jsonl").read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b"-left" in line)
    (cut / "items.jsonl").write_bytes(b"".join(lines[:last]) + lines[last][: len(lines[last]) * 3 // 4])
    shutil.copy(seed / "snapshot.json", cut / "snapshot.json")
    with started(cut) as (stack, _):
        found = ids(stack)
        assert all((f"_pairs-{n}-left" in found) == (f"_pairs-{n}-right" in found) for n in range(len(writers.pairs)))
        stack.client("dynamodb").put_item(TableName=stack.outputs["LedgerTable"], Item=ledger_item("after"))
    with started(cut) as (stack, _):
        assert ids(stack) == found | {"after"}


def test_what_other_services_hold_is_saved_within_two_seconds(data: Path) -> None:
    with started(data) as (stack, machine):
        pool = stack.outputs["UserPoolId"]
        stack.client("cognito-idp").admin_create_user(UserPoolId=pool, Username="alice@example.com")
        stack.client("secretsmanager").create_secret(Name="shared", SecretString="hush")
        time.sleep(SAVED_WITHIN)
        machine.process.kill()
    with started(data) as (stack, _):
        assert len(stack.client("cognito-idp").list_users(UserPoolId=pool)["Users"]) == 1
        assert stack.client("secretsmanager").get_secret_value(SecretId="shared")["SecretString"] == "hush"


@pytest.mark.parametrize("seconds", [0.6, 1.2])
def test_a_kill_in_the_middle_of_a_deployment(data: Path, seconds: float) -> None:
    with started(data) as (stack, _):
        put_one(stack)
    with emulator(data, 0) as machine:
        killer = threading.Timer(seconds, machine.process.kill)
        killer.start()
        with suppress(BotoCoreError):
            deploy(machine, {**PARAMETERS, "AnonymousHistory": "all"})
        killer.join()
    with deployed(data, {"AnonymousHistory": "none"}) as stack:
        assert ids(stack) == {"one"}
        assert stack.environment("ListImages")["ANONYMOUS_HISTORY"] == "none"


def test_a_clean_stop_and_start_keeps_versions_and_delete_markers(data: Path) -> None:
    with started(data) as (stack, _):
        s3, where = stack.client("s3"), {"Bucket": stack.outputs["Bucket"], "Key": "images/a.png"}
        first = s3.put_object(**where, Body=b"first")["VersionId"]
        s3.put_object(**where, Body=b"second")
        s3.delete_object(**where)
    with started(data) as (stack, _):
        s3 = stack.client("s3")
        assert s3.get_object(**where, VersionId=first)["Body"].read() == b"first"
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(**where)


def _touched(deployment: Deployment, days: set[str]) -> bool:
    return days <= deployment.fold.store.touched().keys()


def test_functions_hear_of_changes_after_a_start_as_before(data: Path) -> None:
    for days in (range(1, 6), range(6, 7)):
        with (
            started(data) as (stack, _),
            closing(Deployment(Settings.from_environment(stack.environment("FoldDays")))) as deployment,
        ):
            for day in days:
                one = record(datetime(2025, 1, day, tzinfo=UTC))
                item = to_attributes({**one, **index_keys(one)})
                stack.client("dynamodb").put_item(TableName=deployment.settings.images_table, Item=item)
            expected = {f"2025-01-{day:02}" for day in days}
            until(partial(_touched, deployment, expected))


def put_one(stack: Stack) -> None:
    stack.client("dynamodb").put_item(TableName=stack.outputs["LedgerTable"], Item=ledger_item("one"))


class FakeDynamoDB(SimpleNamespace):
    """As much of the emulator's module as the journal follows."""

    def __init__(self) -> None:
        super().__init__(handle_request=self._handle)

    def _set_item(self, table: Item, partition: str, sort: str, item: Item) -> Item | None:
        old: Item | None = table["items"].get(partition, {}).get(sort)
        table["items"].setdefault(partition, {})[sort] = item
        return old

    def _remove_item(self, table: Item, partition: str, sort: str) -> Item | None:
        old: Item | None = table["items"].get(partition, {}).pop(sort, None)
        return old

    def _items_replaced(self, _table: Item) -> None:
        return

    async def _handle(self) -> None:
        return


@pytest.fixture
def table() -> Item:
    return {"TableId": "t1", "items": {}}


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens journals, and closes them after the test."""
    with ExitStack() as stack:

        def open_journal(path: Path) -> Journal:
            journal = Journal(path, Disk(path.parent, reserve=0))
            stack.callback(journal.close)
            return journal

        yield open_journal


@pytest.fixture
def replayed(opened: Open) -> Callable[[Path], Item]:
    """Reads the items of a journal."""

    def replay(path: Path) -> Item:
        table: Item = {"TableId": "t1", "items": {}}
        opened(path).fill([table])
        items: Item = table["items"]
        return items

    return replay


def test_what_expires_is_forgotten(tmp_path: Path, table: Item, opened: Open, replayed: Callable[[Path], Item]) -> None:
    journal, dynamodb = opened(tmp_path / "items"), FakeDynamoDB()
    journal.follow(dynamodb)
    dynamodb._set_item(table, "a", "-", {"id": {"S": "a"}})
    dynamodb._set_item(table, "b", "-", {"id": {"S": "b"}})
    journal.flush()
    dynamodb._remove_item(table, "a", "-")
    journal.flush()
    assert replayed(tmp_path / "items") == {"b": {"-": {"id": {"S": "b"}}}}


def test_what_is_rolled_back_was_never_there(
    tmp_path: Path, table: Item, opened: Open, replayed: Callable[[Path], Item]
) -> None:
    journal, dynamodb = opened(tmp_path / "items"), FakeDynamoDB()
    journal.follow(dynamodb)
    dynamodb._set_item(table, "a", "-", {"id": {"S": "a"}})
    journal.flush()
    dynamodb._set_item(table, "b", "-", {"id": {"S": "b"}})
    del table["items"]["b"]
    dynamodb._items_replaced(table)
    journal.flush()
    assert replayed(tmp_path / "items") == {"a": {"-": {"id": {"S": "a"}}}}


def test_a_table_made_anew_under_an_old_name_is_empty(tmp_path: Path, table: Item, opened: Open) -> None:
    journal, dynamodb = opened(tmp_path / "items"), FakeDynamoDB()
    journal.follow(dynamodb)
    dynamodb._set_item(table, "a", "-", {"id": {"S": "a"}})
    journal.flush()
    successor: Item = {"TableId": "t2", "items": {}}
    opened(tmp_path / "items").fill([successor])
    assert successor["items"] == {}


def test_the_journal_is_compacted_at_start(
    tmp_path: Path, table: Item, opened: Open, replayed: Callable[[Path], Item]
) -> None:
    path = tmp_path / "items"
    journal, dynamodb = opened(path), FakeDynamoDB()
    journal.follow(dynamodb)
    for number in range(100):
        dynamodb._set_item(table, "a", "-", {"id": {"S": "a"}, "n": {"N": str(number)}})
        journal.flush()
    assert replayed(path)["a"]["-"]["n"] == {"N": "99"}
    assert len(path.read_bytes().splitlines()) == 2  # one that names the journal, and the item


def test_damage_in_the_middle_is_not_passed_over(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "items"
    path.write_text(json.dumps([["t1", "a", "-", {}]]) + "\n" + "rubbish\n" + json.dumps([["t1", "b", "-", {}]]) + "\n")
    with pytest.raises(DamagedJournalError, match="line 2"):
        opened(path)
