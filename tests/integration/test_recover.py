"""The table from the pixels: what comes back, what must not, and what cannot."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pyvips

from cli.check import Check
from cli.objects import Objects
from cli.recover import Recovery, Report
from imagetrail import provenance
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Expression, assignment
from imagetrail.errors import Unavailable
from imagetrail.history import HistoryQuery
from imagetrail.records import COLUMNS, embeddable, image_key, index_keys, thumbnail_key
from imagetrail.tombstones import tombstone
from local.testing import deployed
from tests.integration.fault_proxy import Fault, proxy_to
from tests.integration.operated import EXISTS, generate, held, lose, operated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.deployments import Opened
    from imagetrail.dynamo import Item
    from tests.conftest import Stack
    from tests.integration.fault_proxy import Kind


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("recover")) as stack:
        yield stack


@pytest.fixture
def parts(stack: Stack) -> Iterator[Opened]:
    with operated(stack) as parts:
        yield parts


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def recover(parts: Opened, start_after: str = "", progress: Callable[[str], None] = lambda _: None) -> Recovery:
    told: list[tuple[str, str]] = []
    recovery = Recovery.of(parts, lambda key, reason: told.append((key, reason)))
    recovery.run(start_after, progress)
    assert recovery.report.refused == len(told)
    return recovery


def columns(record: Item) -> dict[str, Any]:
    """What a caller sees of a record, and where the indexes find it."""
    return {name: record.get(name) for name in (*COLUMNS, *index_keys(record)) if name != "favorite"}


def put(parts: Opened, key: str, data: bytes, **tags: str) -> None:
    parts.deployment.bucket.put(key, data, "image/png", cache_control="", tags=tags)


def test_lost_records_come_back_as_they_were(parts: Opened, caller: Caller) -> None:
    dataset = parts.deployment.datasets.create(
        caller, {"name": "Tea House", "vibe": "calm", "unique_visual_elements": ["paper lamps"]}
    )
    strange = Caller("auth0|zoë/=42 " + "x" * 300)
    made = [
        generate(parts, caller, format="png", seed=7, style="ink", aspect_ratio="16:9", negative_prompt="fog"),
        generate(parts, caller, format="webp", dataset_id=dataset["id"]),
        generate(parts, strange, prompt="two\nlines & <tags> \U0001f98a"),
        generate(parts, ANONYMOUS),
    ]
    for record in made:
        lose(parts, record["id"])
    parts.deployment.dynamo.delete(parts.deployment.settings.ledger_table, "days", EXISTS)
    report = recover(parts).report
    assert report == Report(recovered=4, unowned=1, after=max(image_key(record) for record in made))
    for record in made:
        assert columns(held(parts, record["id"])) == columns(record)
    history = parts.deployment.history
    assert history.page(caller, HistoryQuery(), "")["count"] == 2
    assert history.page(caller, HistoryQuery(dataset_id=dataset["id"]), "")["count"] == 1
    assert history.page(Caller("root", is_admin=True), HistoryQuery(), "")["count"] == 4
    again = [held(parts, record["id"]) for record in made]
    assert recover(parts).report == replace(report, recovered=0, unowned=0, present=4)
    assert [held(parts, record["id"]) for record in made] == again


def test_a_record_that_there_is_is_never_written_over(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller)
    table = parts.deployment.settings.images_table
    parts.deployment.dynamo.update(table, record["id"], assignment({"favorite": True, "prompt": "corrected"}), EXISTS)
    recover(parts)
    assert held(parts, record["id"])["prompt"] == "corrected"


def test_what_is_in_the_trash_stays_there(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller)
    lose(parts, record["id"])
    parts.deployment.bucket.delete(image_key(record))
    before = recover(parts).report
    assert held(parts, record["id"]) == {}
    parts.deployment.bucket.delete(thumbnail_key(record))
    assert recover(parts).report == replace(before, recovered=0, unowned=0, present=before.present + before.recovered)


def test_prompts_that_were_left_out_stay_out_and_all_else_comes_back(stack: Stack, caller: Caller) -> None:
    with operated(stack, EMBED_PROMPT="false") as parts:
        record = generate(parts, caller, style="ink")
        lose(parts, record["id"])
        report = recover(parts).report
        assert (report.recovered, report.promptless) == (1, 1)
        back = parts.deployment.history.get(caller, record["id"], "")
    assert (back["prompt"], back["full_prompt"], back["style"]) == ("", "", "ink")


def test_a_deleted_dataset_is_named_by_no_record(parts: Opened, caller: Caller) -> None:
    dataset = parts.deployment.datasets.create(caller, {"name": "Gone", "unique_visual_elements": ["brick"]})
    record = generate(parts, caller, dataset_id=dataset["id"])
    lose(parts, record["id"])
    parts.deployment.dynamo.delete(parts.deployment.settings.datasets_table, dataset["id"], EXISTS)
    recover(parts)
    back = held(parts, record["id"])
    assert back["unique_visual_elements"] == ["brick"]
    assert not {"dataset_id", "dataset_shelf"} & back.keys()


def test_a_missing_thumbnail_is_made_anew(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller)
    made = parts.deployment.bucket.get(thumbnail_key(record))
    lose(parts, record["id"])
    parts.deployment.bucket.delete(thumbnail_key(record))
    assert recover(parts).report.thumbnails == 1
    assert (parts.deployment.bucket.get(thumbnail_key(record)) or b"")[8:12] == (made or b"")[8:12] == b"WEBP"
    assert Objects(parts.client("s3"), parts.deployment.settings.bucket).tags(thumbnail_key(record)) == {
        "owner": caller.user_id
    }


def test_what_cannot_be_recovered_is_named_with_the_reason(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller, format="png")
    data = parts.deployment.bucket.get(image_key(record)) or b""
    bare = pyvips.Image.black(8, 8, bands=3).write_to_buffer(".png")
    facts = embeddable(record, with_prompts=True)

    def key() -> str:
        return f"images/{uuid4()}.png"

    def telling(key: str, **changes: Any) -> bytes:
        changed = {**facts, "id": key[7:43], **changes}
        return provenance.embed(bare, {name: value for name, value in changed.items() if value is not None})

    spoilt: dict[str, tuple[str, bytes, dict[str, str]]] = {
        "its name is not that of an image": ("images/notes.txt", b"hello", {}),
        "The image carries no intact record.": (key(), bare, {}),
        "it carries the record of another image": (key(), data, {}),
        "the tags do not name an owner": (key(), data, {"owner-2": "x"}),
        "it cannot be decoded: The image is damaged or incomplete. Use an intact copy of it.": (
            cut := key(),
            telling(cut)[:-30],
            {},
        ),
        "its record lacks 'id'": (a := key(), telling(a, id=None), {}),
        "its name ends in .jpg, but it is a png file": (b := key()[:-3] + "jpg", telling(b, format="jpg"), {}),
        "its record has a seed that must be a whole number": (c := key(), telling(c, seed="7"), {}),
        "its record has a time or an id that is not written in the usual form": (
            d := key(),
            telling(d, created_at="2026-02-02T10:30:00+01:00"),
            {},
        ),
    }
    for name, content, tags in spoilt.values():
        put(parts, name, content, **tags)
    told: dict[str, str] = {}
    Recovery.of(parts, told.__setitem__).run("", lambda _: None)
    for name, _, _ in spoilt.values():
        parts.deployment.bucket.delete(name)
    assert told == {name: reason for reason, (name, _, _) in spoilt.items()}


def test_a_record_says_what_its_pixels_are_now(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller, format="png")
    key, table = image_key(record), parts.deployment.settings.images_table
    source = pyvips.Image.new_from_buffer(parts.deployment.bucket.get(key) or b"", "")
    small = provenance.embed(
        bytes(source.resize(0.5).pngsave_buffer(keep="none")), embeddable(record, with_prompts=True)
    )
    put(
        parts,
        key,
        provenance.embed(small, provenance.extract(small) | {"format": "webp", "bytes": 7, "sha256": "0" * 64}),
    )
    lose(parts, record["id"])
    recover(parts)
    back = held(parts, record["id"])
    assert (back["width"], back["height"]) == (source.width // 2, source.height // 2)
    assert (back["format"], back["bytes"]) == ("png", len(parts.deployment.bucket.get(key) or b""))
    assert back["sha256"] == hashlib.sha256(parts.deployment.bucket.get(key) or b"").hexdigest()
    told = [finding for finding in Check.of(parts, deep=True).run(lambda _: None) if finding.where == record["id"]]
    assert told == []
    parts.deployment.dynamo.update(table, record["id"], assignment({"width": source.width, "format": "png"}), EXISTS)
    told = [finding for finding in Check.of(parts, deep=True).run(lambda _: None) if finding.where == record["id"]]
    assert told == [("a record whose width is not that of its pixels", record["id"])]


def test_an_interrupted_run_goes_on_where_it_was(parts: Opened, caller: Caller) -> None:
    made = sorted(image_key(generate(parts, caller)) for _ in range(3))
    for key in made:
        lose(parts, key[7:43])
    put(parts, first := "images/0", b"")
    recovery = Recovery.of(parts, lambda *_: None)

    def interrupt(_key: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recovery.run(made[0], interrupt)
    assert recovery.report.after >= made[-1]
    assert recover(parts, start_after=recovery.report.after).report.present == 0
    assert held(parts, made[0][7:43]) == {}
    assert recover(parts, start_after=first).report.recovered == 1
    parts.deployment.bucket.delete(first)


@pytest.mark.parametrize("kind", ["throttle", "cut after"])
@pytest.mark.parametrize("step", ["GetItem images", "s3 GET", "PutItem images", "UpdateItem ledger", "s3 PUT"])
def test_a_run_that_aws_lets_down_loses_nothing(stack: Stack, caller: Caller, step: str, kind: Kind) -> None:
    given = stack.environment("GenerateImage")
    tables = {given["IMAGES_TABLE"]: "images", given["LEDGER_TABLE"]: "ledger"}
    with proxy_to(stack.endpoint, tables) as proxy, operated(stack, AWS_ENDPOINT_URL=proxy.url) as parts:
        record = generate(parts, caller)
        before = image_key(record)[:-8]

        def lose_all() -> None:
            lose(parts, record["id"])
            parts.deployment.bucket.delete(thumbnail_key(record))

        lose_all()
        fault = proxy.inject(Fault(step, kind, times=1))
        assert recover(parts, before).report.recovered == fault.met == 1
        proxy.fault = None
        lose_all()
        proxy.inject(Fault(step, kind))
        with pytest.raises(Unavailable):
            recover(parts, before)
        proxy.fault = None
        recover(parts, before)
        assert columns(held(parts, record["id"])) == columns(record)
        assert parts.deployment.bucket.get(thumbnail_key(record)) is not None


class Meanwhile(Objects):
    """A bucket in which something happens as tags are read."""

    def __init__(self, parts: Opened, then: Callable[[str], None]) -> None:
        super().__init__(parts.client("s3"), parts.deployment.settings.bucket)
        object.__setattr__(self, "then", then)

    then: Callable[[str], None]

    def tags(self, key: str) -> dict[str, str]:
        found = super().tags(key)
        self.then(key)
        return found


def test_what_is_erased_meanwhile_does_not_come_back(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller)
    lose(parts, record["id"])
    objects = Meanwhile(parts, parts.deployment.bucket.delete)
    report = Recovery(parts.deployment, objects, lambda *_: None).run("", lambda _: None)
    assert (report.gone, report.recovered, held(parts, record["id"])) == (1, 0, {})


def test_an_image_of_a_user_who_is_being_erased_gets_no_record(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller)
    lose(parts, record["id"])
    ledger, key = parts.deployment.settings.ledger_table, tombstone(caller.owner)
    parts.deployment.dynamo.put(ledger, {"id": key}, Expression("attribute_not_exists(#id)"))
    told: dict[str, str] = {}
    Recovery.of(parts, told.__setitem__).run("", lambda _: None)
    assert (told, held(parts, record["id"])) == ({image_key(record): "its user is being erased"}, {})
    parts.deployment.dynamo.delete(ledger, key, EXISTS)
    assert recover(parts).report.recovered == 1


def test_a_record_that_comes_meanwhile_is_kept(parts: Opened, caller: Caller) -> None:
    record = generate(parts, caller)
    lose(parts, record["id"])
    table = parts.deployment.settings.images_table

    def restore(_key: str) -> None:
        parts.deployment.dynamo.update(table, record["id"], assignment({"prompt": "newer"}))

    report = Recovery(parts.deployment, Meanwhile(parts, restore), lambda *_: None).run("", lambda _: None)
    assert (report.recovered, held(parts, record["id"])["prompt"]) == (0, "newer")
    lose(parts, record["id"])
