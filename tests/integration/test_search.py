"""Search against real tables and a real bucket: what is found, what never is, what faults and races leave behind."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail import moments
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Expression
from imagetrail.errors import InvalidCursor, Unauthenticated, Unavailable
from imagetrail.records import index_keys
from imagetrail.search import manifest
from imagetrail.search.engine import Filters, View
from imagetrail.search.language import parse
from imagetrail.search.rebuilding import OvertakenError, Rebuild
from imagetrail.search.searching import SearchQuery
from imagetrail.search.stream import index
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, proxy_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

ADMIN = Caller("root", is_admin=True)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def deploy(stack: Stack) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments that share an index of their own, which the stack's indexer does not know."""
    bucket = f"search-{uuid4()}"
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    environment = {**stack.environment("SearchImages"), "BUCKET": bucket, "SEARCH_SHARDS": "1"}
    with ExitStack() as made:

        def make(**changes: str) -> Deployment:
            settings = Settings.from_environment({**environment, **changes})
            return made.enter_context(closing(Deployment(settings)))

        yield make


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    return deploy()


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


def put(deployment: Deployment, caller: Caller, prompt: str, moment: datetime | None = None, **columns: Any) -> str:
    """Writes a finished record into the table; returns its id."""
    at = moment or datetime.now(UTC)
    made = {
        "id": moments.new_id(at),
        "user_id": caller.user_id,
        "prompt": prompt,
        "full_prompt": prompt,
        "created_at": moments.to_text(at),
        "status": "succeeded",
        "model": "procedural",
        **columns,
    }
    table = deployment.settings.images_table
    deployment.dynamo.put(table, made | index_keys(made), Expression("attribute_not_exists(#id)"))
    return str(made["id"])


def change(deployment: Deployment, image_id: str, **columns: Any) -> None:
    table = deployment.settings.images_table
    held = deployment.dynamo.get(table, image_id, consistent=True)
    assert held is not None
    changed = held | columns
    deployment.dynamo.put(table, changed | index_keys(changed), Expression("attribute_exists(#id)"))


def delete(deployment: Deployment, image_id: str) -> None:
    deployment.dynamo.delete(deployment.settings.images_table, image_id, Expression("attribute_exists(#id)"))


def search(deployment: Deployment, caller: Caller, q: str, **asked: Any) -> list[str]:
    """The ids that a search finds, page after page."""
    ids: list[str] = []
    cursor = None
    for _ in range(1_000):
        page = deployment.search.page(caller, SearchQuery(q=q, cursor=cursor, **asked), "")
        ids += [image["id"] for image in page["images"]]
        if (cursor := page["next_cursor"]) is None:
            return ids
    raise AssertionError("the walk does not end")


def indexed(deployment: Deployment, shard: int = 0) -> set[str]:
    """The ids in the index as it stands on S3."""
    with deployment.indexer.opened(shard, manifest.load(deployment.bucket, shard).manifest) as folder:
        return set(View(folder).fingerprints())


QUERIES = ("fox", '"red fox"', "fox -snow", "pain*", "snow OR lake", "タワー", "🦊", "style:oil", "the fox")


def test_what_was_made_a_second_ago_is_found_as_it_is_once_it_is_indexed(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    prompts = ("A red fox", "Foxes in the snow", "A painting of a lake", "東京タワーの夜景", "a 🦊 in the snow")
    ids = [put(deployment, alice, prompt, style="oil") for prompt in prompts]
    fresh = {q: set(search(deployment, alice, q)) for q in QUERIES}
    assert fresh["fox"] == {ids[0], ids[1]}
    assert fresh["style:oil"] == set(ids)
    deployment.indexer.update(0, ids, moments.to_text(datetime.now(UTC) + timedelta(days=1)))
    later = deploy()
    assert {q: set(search(later, alice, q)) for q in QUERIES} == fresh
    assert later.search.reader.shard(0).view is not None


def test_a_page_shows_records_with_what_matched(deployment: Deployment, alice: Caller) -> None:
    image_id = put(deployment, alice, "A red fox", image_url="/images/x.png")
    page = deployment.search.page(alice, SearchQuery(q="fox"), "https://pictures.example")
    assert (page["count"], page["limit"], page["next_cursor"]) == (1, 50, None)
    (image,) = page["images"]
    assert (image["id"], image["image_url"]) == (image_id, "https://pictures.example/images/x.png")
    assert image["snippet"] == [{"text": "A red ", "match": False}, {"text": "fox", "match": True}]
    assert image["score"] > 0


def test_what_is_gone_or_foreign_is_never_shown_from_a_stale_index(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    bob = Caller(f"bob-{uuid4()}")
    kept, trashed, deleted, failed = (put(deployment, alice, "a red fox", LONG_AGO) for _ in range(4))
    foreign = put(deployment, bob, "a red fox", LONG_AGO)
    ids = [kept, trashed, deleted, failed, foreign]
    deployment.indexer.update(0, ids, moments.to_text(NOW))
    assert set(search(deployment, alice, "fox")) == set(ids) - {foreign}
    change(deployment, trashed, deleted_at=moments.to_text(NOW))
    change(deployment, failed, status="failed")
    delete(deployment, deleted)
    assert search(deployment, alice, "fox") == [kept]
    assert search(deployment, bob, "fox") == [foreign]
    assert search(deployment, Caller("nobody"), "fox") == []
    deployment.indexer.update(0, ids, moments.to_text(NOW))
    later = deploy()
    assert indexed(later) == {kept, trashed, failed, foreign}
    assert search(later, alice, "fox", status="failed") == [failed]
    assert set(search(later, alice, "fox", status="all")) == {kept, failed}


def test_filters_are_the_lists(deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller) -> None:
    coffee = deployment.datasets.create(alice, {"name": "Coffee & Co", "unique_visual_elements": []})["id"]
    plain = put(deployment, alice, "a red fox", LONG_AGO)
    branded = put(deployment, alice, "a red fox", LONG_AGO + timedelta(days=1), dataset_id=coffee)
    marked = put(deployment, alice, "a red fox", LONG_AGO + timedelta(days=2), favorite=True)

    def check(deployment: Deployment) -> None:
        assert search(deployment, alice, "fox", sort="time") == [marked, branded, plain]
        assert search(deployment, alice, "fox", dataset_id=coffee) == [branded]
        assert search(deployment, alice, "fox", favorite=True) == [marked]
        assert search(deployment, alice, "fox", from_=LONG_AGO + timedelta(days=2)) == [marked]
        assert search(deployment, alice, "fox", to=LONG_AGO + timedelta(days=1)) == [plain]
        assert search(deployment, alice, f"dataset:{coffee}") == [branded]
        assert search(deployment, alice, 'dataset:"coffee co" fox') == [branded]
        assert search(deployment, alice, "dataset:coffee") == [branded]
        assert set(search(deployment, alice, "fox -dataset:coffee")) == {plain, marked}
        assert search(deployment, alice, "dataset:tea") == []

    check(deployment)
    deployment.indexer.update(0, [plain, branded, marked], moments.to_text(NOW))
    later = deploy()
    check(later)
    change(later, plain, favorite=True)
    change(later, branded, dataset_id=None)
    later.indexer.update(0, [plain, branded], moments.to_text(NOW))
    last = deploy()
    assert set(search(last, alice, "fox", favorite=True)) == {plain, marked}
    assert search(last, alice, "fox", dataset_id=coffee) == []


@pytest.mark.parametrize("sort", ["relevance", "time"])
@pytest.mark.parametrize("limit", [1, 7, 200])
def test_pages_are_complete_while_images_arrive(deployment: Deployment, alice: Caller, sort: str, limit: int) -> None:
    old = [put(deployment, alice, "fox " * (n % 4 + 1), LONG_AGO + timedelta(minutes=n // 6)) for n in range(20)]
    deployment.indexer.update(0, old, moments.to_text(NOW))
    new = [put(deployment, alice, "a fox") for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        page = deployment.search.page(alice, SearchQuery(q="fox", limit=limit, cursor=cursor, sort=sort), "")  # type: ignore[arg-type]
        seen += [image["id"] for image in page["images"]]
        put(deployment, alice, "a fox that came too late")
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(seen) == sorted(old + new)
    if sort == "time":
        assert seen[:5] == [*reversed(new)]
        assert [old.index(image_id) // 6 for image_id in seen[5:]] == sorted((n // 6 for n in range(20)), reverse=True)


@pytest.mark.parametrize("q", ["fo*", "model:procedural", "-wolf"])
def test_what_does_not_rank_comes_newest_first(deployment: Deployment, alice: Caller, q: str) -> None:
    ids = [put(deployment, alice, "a fox", LONG_AGO + timedelta(minutes=n)) for n in range(60)]
    deployment.indexer.update(0, ids, moments.to_text(NOW))
    page = deployment.search.page(alice, SearchQuery(q=q, limit=2), "")
    assert [(image["id"], image["score"]) for image in page["images"]] == [(ids[-1], None), (ids[-2], None)]


def test_a_cursor_is_bound_to_its_caller_and_query(deployment: Deployment, alice: Caller) -> None:
    for _ in range(3):
        put(deployment, alice, "a red fox")
    asked = SearchQuery(q="fox", limit=1)
    cursor = deployment.search.page(alice, asked, "")["next_cursor"]
    assert deployment.search.page(alice, replace(asked, cursor=cursor), "")["count"] == 1
    for caller, other in (
        (Caller("bob"), asked),
        (alice, replace(asked, q="red")),
        (alice, replace(asked, sort="time")),
        (alice, replace(asked, favorite=True)),
    ):
        with pytest.raises(InvalidCursor):
            deployment.search.page(caller, replace(other, cursor=cursor), "")
    for forged in ("", "x", "e30", cursor[:-2]):
        with pytest.raises(InvalidCursor):
            deployment.search.page(alice, replace(asked, cursor=forged), "")


def test_admins_search_every_shard_and_anonymous_callers_what_the_deployment_says(
    deploy: Callable[..., Deployment], alice: Caller
) -> None:
    deployment = deploy(SEARCH_SHARDS="5")
    word = f"w{uuid4().hex}"
    owners = [alice, ANONYMOUS, *(Caller(f"user-{uuid4()}") for _ in range(8))]
    ids = {put(deployment, caller, f"a {word} {n}", LONG_AGO): caller for n, caller in enumerate(owners)}
    for image_id, caller in ids.items():
        deployment.indexer.update(deployment.indexer.shards.of(caller.owner), [image_id], moments.to_text(NOW))
    assert len({deployment.indexer.shards.of(caller.owner) for caller in owners}) > 1
    everything = deploy(ANONYMOUS_HISTORY="all")
    nothing = deploy(ANONYMOUS_HISTORY="none")
    for limit in (3, 200):
        assert sorted(search(everything, ADMIN, word, limit=limit)) == sorted(ids)
        assert sorted(search(everything, ANONYMOUS, word, limit=limit, sort="time")) == sorted(ids)
    assert [ids[found] for found in search(deploy(), ANONYMOUS, word)] == [ANONYMOUS]
    assert [ids[found] for found in search(deploy(), alice, word)] == [alice]
    with pytest.raises(Unauthenticated):
        search(nothing, ANONYMOUS, word)
    assert deploy(SEARCH_SHARDS="9").indexer.shards.count == 5


def test_sixteen_racing_indexers_lose_nothing(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    ids = [put(deployment, alice, f"a fox {n}", LONG_AGO) for n in range(96)]
    failures: list[BaseException] = []

    def work(number: int, indexer: Any) -> None:
        try:
            for start in (0, 3):
                indexer.update(0, ids[number * 6 + start : number * 6 + start + 3], moments.to_text(NOW))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n, deploy().indexer)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert indexed(deployment) == set(ids)


def test_a_reader_is_undisturbed_while_segments_are_written_merged_and_rebuilt(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    base = {put(deployment, alice, "a steady fox", LONG_AGO) for _ in range(20)}
    deployment.indexer.update(0, base, moments.to_text(NOW))
    reading = deploy()
    stop = threading.Event()
    seen: list[set[str]] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                reading.search.reader._shards.clear()
                seen.append(set(search(reading, alice, "steady")))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for n in range(20):
        deployment.indexer.update(0, [put(deployment, alice, f"another {n}", LONG_AGO)], moments.to_text(NOW))
    deployment.search_rebuild.forget(Caller("nobody").owner)
    stop.set()
    thread.join()
    assert failures == []
    assert len(seen) > 2
    assert all(found == base for found in seen)
    segments = manifest.load(deployment.bucket, 0).manifest.meta
    assert segments is not None
    assert len(segments["segments"]) < 8


def objects(stack: Stack, deployment: Deployment) -> set[str]:
    """The keys under search/ of which any version is left, and of delete markers."""
    pages = stack.client("s3").get_paginator("list_object_versions")
    listed = pages.paginate(Bucket=deployment.settings.bucket, Prefix="search/")
    kinds = ("Versions", "DeleteMarkers")
    return {one["Key"] for page in listed for kind in kinds for one in page.get(kind, [])}


def test_a_forgotten_owner_leaves_no_word_behind(
    stack: Stack, deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    bob = Caller(f"bob-{uuid4()}")
    secret = f"zz{uuid4().hex[:12]}"
    kept = [put(deployment, bob, f"a fox {n}", LONG_AGO) for n in range(3)]
    gone = [put(deployment, alice, f"a {secret} fox {n}", LONG_AGO) for n in range(3)]
    for image_id in [*gone, *kept, *gone]:
        deployment.indexer.update(0, [image_id], moments.to_text(NOW))
    before = objects(stack, deployment)
    for image_id in gone:
        delete(deployment, image_id)
    assert deployment.search_rebuild.forget(alice.owner) == 3
    fixed = {manifest.manifest_key(0), f"{manifest.ROOT}/index.json"}
    assert before & objects(stack, deployment) <= fixed
    view = deploy().search.reader.shard(0).view
    assert view is not None
    assert (view.frequency("words", secret), view.frequency("owner", alice.owner)) == (0, 0)
    assert (view.frequency("words", "fox"), view.frequency("owner", bob.owner)) == (3, 3)
    assert indexed(deployment) == set(kept)
    parts = manifest.load(deployment.bucket, 0).manifest.parts
    assert deployment.search_rebuild.forget(alice.owner) == 0
    assert manifest.load(deployment.bucket, 0).manifest.parts == parts, "nothing is written anew for nothing"


def test_words_of_documents_that_are_gone_already_are_forgotten(
    stack: Stack, deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    secret = f"secret{uuid4().hex}"
    mine = [put(deployment, alice, secret, LONG_AGO) for _ in range(2)]
    theirs = put(deployment, Caller(f"bob-{uuid4()}"), "a red fox", LONG_AGO)
    deployment.indexer.update(0, [*mine, theirs], moments.to_text(NOW))
    for image_id in mine:
        delete(deployment, image_id)
    deployment.indexer.update(0, mine, moments.to_text(NOW))
    assert indexed(deployment) == {theirs}
    view = deploy().search.reader.shard(0).view
    assert view is not None
    assert view.frequency("words", secret) == 2
    assert deployment.search_rebuild.forget(alice.owner) == 0
    view = deploy().search.reader.shard(0).view
    assert view is not None
    assert (view.frequency("words", secret), view.frequency("words", "fox")) == (0, 1)
    named = {part.key for part in manifest.load(deployment.bucket, 0).manifest.parts.values()}
    assert objects(stack, deployment) - named == {manifest.manifest_key(0), f"{manifest.ROOT}/index.json"}


def test_a_writer_killed_between_segment_and_manifest_leaves_only_what_the_next_rewrite_clears(
    stack: Stack, deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    ids = [put(deployment, alice, "a red fox", LONG_AGO) for _ in range(2)]
    deployment.indexer.update(0, ids[:1], moments.to_text(NOW))
    with proxy_to(stack.endpoint) as proxy:
        killed = deploy(AWS_ENDPOINT_URL=proxy.url)
        proxy.inject(Fault("s3 PUT search 2", "cut before"))
        with pytest.raises(Unavailable):
            killed.indexer.update(0, ids[1:], moments.to_text(NOW))
    assert indexed(deployment) == set(ids[:1])
    deployment.indexer.update(0, ids, moments.to_text(NOW))
    assert indexed(deployment) == set(ids)
    deployment.search_rebuild.forget("user:nobody")
    named = {part.key for part in manifest.load(deployment.bucket, 0).manifest.parts.values()}
    assert objects(stack, deployment) - named == {manifest.manifest_key(0), f"{manifest.ROOT}/index.json"}
    assert indexed(deployment) == set(ids)


@pytest.mark.parametrize("kind", ["cut after", "cut before", "error", "throttle", "conflict"])
def test_a_swap_whose_answer_is_lost_takes_effect_once(
    stack: Stack, deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller, kind: Any
) -> None:
    ids = [put(deployment, alice, "a red fox", LONG_AGO) for _ in range(2)]
    deployment.indexer.update(0, ids[:1], moments.to_text(NOW))
    with proxy_to(stack.endpoint) as proxy:
        unlucky = deploy(AWS_ENDPOINT_URL=proxy.url)
        fault = proxy.inject(Fault("s3 PUT search 2", kind, times=1))
        assert unlucky.indexer.update(0, ids[1:], moments.to_text(NOW)) == int(kind == "conflict")
        assert fault.met == 1
    assert indexed(deployment) == set(ids)


def test_a_rebuild_keeps_what_arrives_meanwhile(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    ids = [put(deployment, alice, "a red fox", LONG_AGO) for _ in range(3)]
    late: list[str] = []

    def meanwhile(_read: int) -> None:
        if not late:
            late.append(put(deployment, alice, "a red fox", LONG_AGO))
            delete(deployment, ids[0])
            change(deployment, ids[1], favorite=True)
            deploy().indexer.update(0, [late[0], *ids[:2]], moments.to_text(NOW))

    assert deployment.search_rebuild.run(meanwhile) >= 3
    expected = {late[0], *ids[1:]}
    assert expected <= indexed(deployment)
    assert ids[0] not in indexed(deployment)
    later = deploy()
    assert set(search(later, alice, "fox")) == expected
    assert search(later, alice, "fox", favorite=True) == [ids[1]]
    view = later.search.reader.shard(0).view
    assert view is not None
    assert len(view.top(parse("fox"), Filters(owner=alice.owner), 100)) == 3


def test_what_the_stream_never_told_is_mended(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    kept, gone, marked = (put(deployment, alice, "a red fox", LONG_AGO) for _ in range(3))
    deployment.search_rebuild.run()
    missed = put(deployment, alice, "a red fox", LONG_AGO)
    delete(deployment, gone)
    change(deployment, marked, favorite=True)
    assert deployment.search_rebuild.mend() >= 3
    assert deployment.search_rebuild.mend() == 0
    assert {kept, missed, marked} <= indexed(deployment)
    assert gone not in indexed(deployment)
    assert search(deploy(), alice, "fox", favorite=True) == [marked]


def test_of_two_rebuilds_the_later_one_wins(deployment: Deployment, deploy: Callable[..., Deployment]) -> None:
    other = deploy().search_rebuild
    meanwhile = [other.run]
    with pytest.raises(OvertakenError):
        deployment.search_rebuild.run(lambda _read: meanwhile and meanwhile.pop()())


def test_who_is_forgotten_while_somebody_else_is_can_be_forgotten_again(
    deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    bob = Caller(f"bob-{uuid4()}")
    deployment.indexer.update(0, [put(deployment, caller, "a red fox", LONG_AGO) for caller in (alice, bob)])
    looks = count(1)

    def now() -> datetime:
        if next(looks) == 3:  # after the removal and the announcement: the new generation is about to be swapped in
            deploy().search_rebuild.forget(bob.owner)
        return NOW

    with pytest.raises(Unavailable):
        Rebuild(replace(deployment.indexer, now=now)).forget(alice.owner)
    deployment.search_rebuild.forget(alice.owner)
    view = deploy().search.reader.shard(0).view
    assert view is not None
    assert [view.frequency("owner", caller.owner) for caller in (alice, bob)] == [0, 0]
    assert view.frequency("words", "fox") == 0


def event(image_id: str, caller: Caller, number: int) -> dict[str, Any]:
    owner = {"owner": {"S": caller.owner}}
    change = {"Keys": {"id": {"S": image_id}}, "NewImage": owner, "SequenceNumber": str(number)}
    return {"eventName": "MODIFY", "dynamodb": change | {"ApproximateCreationDateTime": NOW.timestamp()}}


def test_a_batch_that_cannot_be_written_is_sent_again_and_a_record_that_cannot_be_read_stops_none(
    stack: Stack, deployment: Deployment, deploy: Callable[..., Deployment], alice: Caller
) -> None:
    good = put(deployment, alice, "a red fox", LONG_AGO)
    poison = put(deployment, alice, "a red fox", LONG_AGO)
    table = deployment.settings.images_table
    deployment.dynamo.update(table, poison, Expression("SET #created_at = :odd", {"odd": "never"}))
    events = [event(poison, alice, 1), event(good, alice, 2), event(good, alice, 3)]
    with proxy_to(stack.endpoint) as proxy:
        unlucky = deploy(AWS_ENDPOINT_URL=proxy.url)
        proxy.inject(Fault("BatchGetItem", "error"))
        assert [one["itemIdentifier"] for one in index(unlucky.indexer, events)["batchItemFailures"]] == ["1", "2", "3"]
    for _ in range(2):
        assert index(deployment.indexer, events) == {"batchItemFailures": []}
        assert indexed(deployment) == {good}
    assert manifest.load(deployment.bucket, 0).manifest.position == moments.to_text(NOW)
