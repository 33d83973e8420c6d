"""A user who leaves and a dataset that is deleted, on real tables and a versioned bucket: nothing is left of them."""

from __future__ import annotations

import base64
import hmac
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail import moments
from imagetrail.analytics.folding import Folded
from imagetrail.analytics.forgetting import Forgetting
from imagetrail.analytics.lake import key as lake_key
from imagetrail.analytics.reports import ReportQuery
from imagetrail.callers import ANONYMOUS, NOWHERE, Caller
from imagetrail.dynamo import Dynamo, Expression
from imagetrail.edge import Edge
from imagetrail.erasing import DATASET, USER, claim
from imagetrail.erasure import NotYetError, exports
from imagetrail.errors import AccountErased, Forbidden, InvalidSignature, NotFound, Unauthenticated
from imagetrail.history import BY_DATASET, BY_OWNER, HistoryQuery
from imagetrail.models import ImageRequest, ModelOutput, procedural
from imagetrail.records import index_keys
from imagetrail.running import MAX_ATTEMPTS, Runner
from imagetrail.s3 import Bucket, Version, VersionPage
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.settling import Sweep
from imagetrail.versions import STRIPES, Versions
from imagetrail.wiring import Deployment
from tests.integration.test_generation_faults import given_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from imagetrail.dynamo import Item
    from imagetrail.jobs import Progress
    from tests.conftest import Stack

EVENTS = Path(__file__).parents[1] / "events"
LEFT = timedelta(seconds=10)
LONG = timedelta(minutes=10)
BRAND = {"name": "Coffee Co", "vibe": "cozy", "unique_visual_elements": ["wooden tables"]}
ADMIN = Caller("root", is_admin=True)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Life:
    """So many requests, before or after the last of which the process ends."""

    left: int
    after: bool

    def __call__(self, request: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left > 0:
            return request()
        if self.left == 0 and self.after:
            request()
        raise Killed


class MortalDynamo(Dynamo):
    """Tables as a process sees them that will be killed."""

    life: Life

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.life(lambda: super(MortalDynamo, self)._call(operation, request))
        return answer


class MortalBucket(Bucket):
    """The bucket as a process sees it that will be killed."""

    life: Life

    def list_versions(self, prefix: str, after: Version | None = None, limit: int = 1000) -> VersionPage:
        page: VersionPage = self.life(lambda: super(MortalBucket, self).list_versions(prefix, after, limit))
        return page

    def delete_versions(self, versions: Sequence[Version]) -> dict[Version, str]:
        refused: dict[Version, str] = self.life(lambda: super(MortalBucket, self).delete_versions(versions))
        return refused


class StubbornBucket(Bucket):
    """A bucket that will not let one key go, for so many times."""

    key, times = "", 0

    def delete_versions(self, versions: Sequence[Version]) -> dict[Version, str]:
        kept = [version for version in versions if version.key == self.key] if self.times > 0 else []
        self.times -= bool(kept)
        refused = super().delete_versions([version for version in versions if version not in kept])
        return refused | dict.fromkeys(kept, "AccessDenied")


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    given = stack.environment("GenerateImage") | {"RUN_JOBS_FUNCTION": "nobody", "USER_DAILY_QUOTA": "100"}
    with closing(Deployment(Settings.from_environment(given))) as deployment:
        yield deployment


@pytest.fixture(scope="module", autouse=True)
def schedule(stack: Stack) -> Iterator[None]:
    """The deployed runner keeps away: these tests have runners of their own."""
    scheduler = stack.client("scheduler")
    held = scheduler.get_schedule(Name="imagetrail-run-jobs")
    same = {name: held[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**same, State="DISABLED")
    yield
    scheduler.update_schedule(**same, State="ENABLED")


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


@pytest.fixture
def bob() -> Caller:
    return Caller(f"bob-{uuid4()}")


def runner(deployment: Deployment, hours: float = 0, **changed: Any) -> Runner:
    """One so many hours from now that does not wait for the longest request, and for which waiting takes no time."""
    waited = [0.0]

    def now() -> datetime:
        return moments.utc_now() + timedelta(hours=hours, seconds=waited[0])

    def pause(seconds: float) -> None:
        waited[0] += seconds

    quick: dict[str, Any] = {
        "longest_request": timedelta(0),
        "again": timedelta(milliseconds=50),
        "rate": 1e9,
        "page": 3,
    }
    erasure = replace(deployment.erasure, now=now, **(quick | changed))
    kinds = {USER: erasure, DATASET: erasure}
    return replace(deployment.runner, kinds=kinds, now=now, pause=pause)


def run(deployment: Deployment, job: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The job when it is through."""
    runner(deployment, **changed).run(LONG, job["id"])
    return deployment.jobs.get(ADMIN, job["id"])


def generate(deployment: Deployment, caller: Caller, dataset_id: str | None = None) -> Item:
    request = GenerateRequest.model_validate({"prompt": "a lighthouse at dawn", "dataset_id": dataset_id})
    return deployment.generation.generate(caller, request, LEFT)[0]


def planted(deployment: Deployment, caller: Caller, count: int) -> list[str]:
    """Succeeded records with small objects, of which every third has an old version and a delete marker."""
    ids = []
    for number in range(count):
        now = moments.utc_now()
        image_id = moments.new_id(now)
        record = {
            "id": image_id,
            "user_id": caller.user_id,
            "format": "png",
            "status": "succeeded",
            "created_at": moments.to_text(now),
        }
        deployment.dynamo.put(
            deployment.settings.images_table, record | index_keys(record), Expression("attribute_not_exists(#id)")
        )
        for key in (f"images/{image_id}.png", f"thumbnails/{image_id}.webp"):
            deployment.bucket.put(key, b"pixels", "image/png", cache_control="", tags={})
            if number % 3 == 0:
                deployment.bucket.put(key, b"other pixels", "image/png", cache_control="", tags={})
                deployment.bucket.delete(key)
        ids.append(image_id)
    return ids


def rows(deployment: Deployment, index: str, attribute: str, partition: str) -> list[Item]:
    key = Expression(f"#{attribute} = :p", {"p": partition})
    table = deployment.settings.images_table
    return deployment.dynamo.query(table, index, key, newest_first=True, limit=1000).items


def records_of(deployment: Deployment, caller: Caller) -> list[Item]:
    return rows(deployment, BY_OWNER, "owner", caller.owner)


def versions(deployment: Deployment, *needles: str) -> list[Version]:
    """Every version and delete marker in the bucket whose key has one of the needles in it."""
    found: list[Version] = []
    last: Version | None = None
    while True:
        page = deployment.bucket.list_versions("", last)
        found += [version for version in page.versions if any(needle in version.key for needle in needles)]
        if (last := page.last) is None:
            return found


def test_a_user_who_leaves_is_gone_from_everywhere(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    bucket, settings = deployment.bucket, deployment.settings
    dataset = deployment.datasets.create(alice, {**BRAND, "visibility": "public"})
    made = [generate(deployment, alice), generate(deployment, alice, dataset["id"])]
    kept = generate(deployment, bob, dataset["id"])
    other = generate(deployment, bob)
    ids = [*(record["id"] for record in made), *planted(deployment, alice, 7)]
    for name in ("one.png", "incoming/two"):
        bucket.put(f"references/{dataset['id']}/{name}", b"reference", "image/png", cache_control="", tags={})
    bucket.delete(f"references/{dataset['id']}/one.png")
    bucket.put(f"{exports(alice.owner)}history.csv", b"prompt", "text/csv", cache_control="", tags={})
    searched = [3, 2]
    forgotten: list[list[str]] = []

    class Forgetful(Edge):
        def forget(self, paths: Iterable[str], *, because: Iterable[str]) -> None:
            assert job["id"] in because
            forgotten.append(list(paths))

    job = deployment.erasing.me(alice)
    assert (job["kind"], job["status"], job["receipt"]) == ("erase_user", "queued", None)
    done = run(
        deployment,
        job,
        edge=Forgetful(deployment._lambda, ""),
        steps={"search_entries": lambda _: searched.pop() if searched else 0},
    )

    assert done["status"] == "succeeded"
    assert records_of(deployment, alice) == []
    assert not versions(deployment, *ids, dataset["id"], exports(alice.owner))
    assert deployment.datasets.page(alice)["datasets"] == []
    with pytest.raises(NotFound):
        deployment.datasets.get(bob, dataset["id"])
    account = deployment.limits.daily(alice, NOWHERE, moments.utc_now())
    assert account is not None
    assert deployment.dynamo.get(settings.ledger_table, account.id) is None
    assert forgotten == [["/images/*", "/thumbnails/*"]]

    counts = done["receipt"]["counts"]
    assert {name: counts[name] for name in ("records", "datasets", "search_entries", "quota_days")} == {
        "records": 9,
        "datasets": 1,
        "search_entries": 5,
        "quota_days": 1,
    }
    assert counts["object_versions"] == 2 * 2 + 2 * 7 + 2 * 3 * 2
    assert (counts["reference_versions"], counts["export_versions"]) == (3, 1)
    assert counts["records_unlinked"] == 1
    assert {entry["until"] for entry in done["receipt"]["kept"]} >= {"24 hours", "5 days", "35 days"}

    record = deployment.history.get(bob, kept["id"], "")
    assert record["dataset_id"] is None
    assert record["dataset_version"] == 1
    assert record["unique_visual_elements"] == ["wooden tables"]
    assert {image["id"] for image in deployment.history.page(bob, HistoryQuery(), "")["images"]} == {
        kept["id"],
        other["id"],
    }
    assert bucket.get(f"images/{kept['id']}.png") is not None


def test_neither_job_nor_receipt_names_the_user(deployment: Deployment, alice: Caller) -> None:
    generate(deployment, alice)
    job = deployment.erasing.me(alice)
    assert run(deployment, job)["status"] == "succeeded"
    item = deployment.dynamo.get(deployment.settings.ledger_table, f"job {job['id']}", consistent=True)
    assert item is not None
    assert str(alice.user_id) not in str(item)
    assert item["expires_at"] > moments.utc_now().timestamp() + 80 * 86_400


def test_only_who_started_it_and_admins_see_a_job(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    job = deployment.erasing.me(alice)
    for stranger in (bob, ANONYMOUS):
        with pytest.raises(NotFound):
            deployment.jobs.get(stranger, job["id"])
    assert deployment.jobs.get(alice, job["id"]) == job
    run(deployment, job)
    assert deployment.jobs.get(alice, job["id"])["receipt"] is not None, "the erased user's token is still valid"
    with pytest.raises(NotFound):
        deployment.jobs.get(bob, job["id"])
    with pytest.raises(NotFound):
        deployment.jobs.get(ADMIN, str(uuid4()))


def test_whoever_asks_for_the_same_erasure_gets_the_same_open_job(deployment: Deployment, alice: Caller) -> None:
    by_issuer = deployment.erasing.gone(str(alice.user_id))
    by_admin = deployment.erasing.user(ADMIN, str(alice.user_id))
    by_herself = deployment.erasing.user(alice, str(alice.user_id))
    assert by_issuer["id"] == by_admin["id"] == by_herself["id"] == deployment.erasing.me(alice)["id"]
    assert deployment.jobs.get(alice, by_issuer["id"])["status"] == "queued"
    run(deployment, by_issuer)
    again = deployment.erasing.me(alice)
    assert again["id"] != by_issuer["id"], "what is finished can be asked for again"
    assert run(deployment, again)["receipt"]["counts"].get("records", 0) == 0


def test_many_starts_at_once_leave_one_job(deployment: Deployment, alice: Caller) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: deployment.erasing.me(alice)["id"], range(16)))
    claimed = deployment.jobs.claimed(claim(USER, str(alice.user_id)))
    assert claimed is not None
    assert set(started) == {claimed["job_id"]}


def test_nobody_erases_somebody_else_or_nobody(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    with pytest.raises(Forbidden):
        deployment.erasing.user(bob, str(alice.user_id))
    with pytest.raises(Forbidden):
        deployment.erasing.user(ANONYMOUS, str(alice.user_id))
    with pytest.raises(Unauthenticated):
        deployment.erasing.me(ANONYMOUS)
    for by_id in (bob, alice):
        with pytest.raises(Forbidden):
            deployment.erasing.user_by_admin(by_id, str(alice.user_id))
    with pytest.raises(Unauthenticated):
        deployment.erasing.user_by_admin(ANONYMOUS, str(alice.user_id))


ODD_IDS = [
    "oauth/google:10", "a?b#c%2F", " ", "me", "..", "e\u0301-用户", '"\\', "anonymous", "user:alice",
    "x" * 255, "🦊" * 63,
]  # fmt: skip


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_an_admin_erases_exactly_the_user_with_this_id(deployment: Deployment, user_id: str) -> None:
    others = [ADMIN, Caller(f"{user_id} "[:255]), Caller(user_id.swapcase())]
    caller, kept = (
        Caller(user_id),
        {other: planted(deployment, other, 1) for other in others if other.user_id != user_id},
    )
    planted(deployment, caller, 1)
    job = deployment.erasing.user_by_admin(ADMIN, user_id)
    done = run(deployment, job)
    assert (done["status"], done["receipt"]["found"]) == ("succeeded", True)
    assert done["receipt"]["counts"]["records"] == 1
    assert records_of(deployment, caller) == []
    for other, (image_id,) in kept.items():
        assert image_id in [record["id"] for record in records_of(deployment, other)]
        deployment.tombstones.check(other.owner)
    assert deployment.tombstones.stands(caller.owner)


def test_an_erasure_that_finds_nobody_says_so(deployment: Deployment, alice: Caller) -> None:
    deployment.bucket.put("exports/all/history.csv", b"prompts", "text/csv", cache_control="", tags={})
    done = [run(deployment, deployment.erasing.user_by_admin(ADMIN, str(alice.user_id))) for _ in range(2)]
    assert [(job["status"], job["receipt"]["found"]) for job in done] == [("succeeded", False)] * 2
    assert done[0]["receipt"]["counts"]["administrators_export_versions"] >= 1


def _has_dataset(deployment: Deployment, alice: Caller) -> None:
    deployment.datasets.create(alice, BRAND)


def _has_export(deployment: Deployment, alice: Caller) -> None:
    deployment.bucket.put(f"{exports(alice.owner)}history.csv", b"prompt", "text/csv", cache_control="", tags={})


def _has_used_quota(deployment: Deployment, alice: Caller) -> None:
    now = moments.utc_now()
    account = deployment.limits.daily(alice, NOWHERE, now)
    assert account is not None
    deployment.ledger.accounts.reserve(account, "one", 1, now + LEFT, now)


def _has_search_entry(_deployment: Deployment, _alice: Caller) -> None:
    """As the step of the search index counts it."""


@pytest.mark.parametrize("has", [_has_dataset, _has_export, _has_used_quota, _has_search_entry])
def test_who_has_no_images_is_found_by_what_they_have(
    deployment: Deployment, alice: Caller, has: Callable[[Deployment, Caller], None]
) -> None:
    has(deployment, alice)
    entries = [0, 1] if has is _has_search_entry else []
    job = deployment.erasing.user_by_admin(ADMIN, str(alice.user_id))
    steps = {"search_documents": lambda _: entries.pop() if entries else 0}
    assert run(deployment, job, steps=steps)["receipt"]["found"] is True


def test_nothing_begins_after_the_tombstone(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    job = deployment.erasing.me(alice)
    for _ in ("while it runs", "afterwards"):
        with pytest.raises(AccountErased):
            generate(deployment, alice)
        with pytest.raises(AccountErased):
            deployment.datasets.create(alice, BRAND)
        run(deployment, job)
    with pytest.raises(AccountErased):
        generate(deployment, alice)
    assert records_of(deployment, alice) == []
    quota = deployment.limits.daily(alice, NOWHERE, moments.utc_now())
    assert quota is not None
    assert deployment.dynamo.get(deployment.settings.ledger_table, quota.id, consistent=True) is None
    generate(deployment, bob)
    tomorrow = replace(deployment.tombstones, now=lambda: moments.utc_now() + timedelta(hours=25))
    tomorrow.check(alice.owner)


def test_a_generation_under_way_brings_nothing_back(deployment: Deployment, alice: Caller) -> None:
    job: dict[str, Any] = {}

    def model(request: ImageRequest) -> ModelOutput:
        job.update(deployment.erasing.me(alice))
        runner(deployment).run(timedelta(seconds=1), job["id"])
        assert deployment.jobs.get(alice, job["id"])["status"] == "running", "it waits for what is pending"
        return procedural.generate(request)

    request = GenerateRequest(prompt="a lighthouse at dawn")
    record, _ = given_model(deployment, model).generate(alice, request, LEFT)
    assert record["status"] == "succeeded"
    assert versions(deployment, record["id"])
    assert run(deployment, job)["status"] == "succeeded"
    assert records_of(deployment, alice) == []
    assert not versions(deployment, record["id"])


def test_it_is_not_done_before_the_longest_request_can_have_ended(deployment: Deployment, alice: Caller) -> None:
    planted(deployment, alice, 1)
    job = deployment.erasing.me(alice)
    runner(deployment, longest_request=timedelta(minutes=30)).run(LONG, job["id"])
    assert records_of(deployment, alice) == [], "what is there goes at once"
    assert deployment.jobs.get(alice, job["id"])["status"] == "running"
    (late,) = planted(deployment, alice, 1)
    runner(deployment, hours=1).run(LONG, job["id"])
    assert deployment.jobs.get(alice, job["id"])["receipt"]["counts"]["records"] == 2
    assert not versions(deployment, late)


def test_what_is_long_waited_for_is_looked_at_ever_less_often(deployment: Deployment, alice: Caller) -> None:
    now = moments.utc_now()

    def wait(_user_id: str) -> int:
        raise NotYetError

    erasure = replace(deployment.erasure, now=lambda: now, longest_request=timedelta(0), steps={"others": wait})
    job: Item = {"kind": USER, "subject": alice.user_id, "job_id": str(uuid4()), "state": {}}
    waits: list[float] = []
    while len(waits) < 7:
        progress = erasure(job)
        job["state"] = progress.state
        if progress.not_before is not None:
            waits.append((progress.not_before - now).total_seconds())
    assert waits == [5, 10, 20, 40, 80, 160, 160]


def test_what_a_killed_process_left_pending_is_erased(deployment: Deployment, alice: Caller) -> None:
    def model(_: ImageRequest) -> ModelOutput:
        raise Killed

    with pytest.raises(Killed):
        given_model(deployment, model).generate(alice, GenerateRequest(prompt="a lighthouse"), LEFT)
    job = deployment.erasing.me(alice)
    runner(deployment).run(timedelta(seconds=1), job["id"])
    assert len(records_of(deployment, alice)) == 1
    Sweep(
        dynamo=deployment.dynamo,
        images_table=deployment.settings.images_table,
        ledger=deployment.ledger,
        bucket=deployment.bucket,
        tombstones=deployment.tombstones,
        versions=deployment.versions,
        now=lambda: moments.utc_now() + timedelta(hours=1),
    ).run()
    assert records_of(deployment, alice) == [], "the sweep does not settle what belongs to nobody any more"
    assert run(deployment, job)["status"] == "succeeded"


@pytest.mark.parametrize("seed", range(10))
def test_a_job_that_is_killed_again_and_again_leaves_nothing(deployment: Deployment, alice: Caller, seed: int) -> None:
    """Each process dies before or after some request, at random; the next one takes over when the lease has run out."""
    dataset = deployment.datasets.create(alice, BRAND)
    deployment.bucket.put(f"references/{dataset['id']}/one.png", b"ref", "image/png", cache_control="", tags={})
    ids = planted(deployment, alice, 8)
    chance = random.Random(seed)  # noqa: S311 (the same kills in every run)
    job = deployment.erasing.me(alice)
    kills = 0
    while deployment.jobs.get(alice, job["id"])["status"] not in ("succeeded", "failed"):
        life = Life(chance.randrange(5, 60), after=chance.random() < 0.5) if kills < 10 else Life(100_000, after=False)
        with mortal(deployment, life, hours=kills) as process:
            process.run(LONG, job["id"])
            break
        kills += 1
    assert kills >= 2
    assert deployment.jobs.get(alice, job["id"])["status"] == "succeeded"
    assert records_of(deployment, alice) == []
    assert not versions(deployment, *ids, dataset["id"])


@contextmanager
def mortal(deployment: Deployment, life: Life, hours: float) -> Iterator[Runner]:
    """A runner that meets its end."""
    s = deployment.settings
    dynamo = MortalDynamo(deployment.dynamo._endpoint)
    bucket = MortalBucket(s.bucket, s.region, deployment.credentials, s.endpoint_url)
    dynamo.life = bucket.life = life
    jobs = replace(deployment.jobs, dynamo=dynamo)
    with closing(bucket), ThreadPoolExecutor(STRIPES) as pool, suppress(Killed):
        versions = Versions(bucket, pool)
        yield replace(runner(deployment, hours, dynamo=dynamo, versions=versions, jobs=jobs), dynamo=dynamo)


def test_a_job_never_gets_anywhere_fails_visibly_and_blocks_no_other(
    deployment: Deployment, alice: Caller, bob: Caller
) -> None:
    def poisoned(_job: Item) -> Progress:
        raise RuntimeError("a secret")

    planted(deployment, bob, 1)
    bad = deployment.erasing.me(alice)
    good = deployment.erasing.me(bob)
    item = deployment.dynamo.get(deployment.settings.ledger_table, f"job {bad['id']}", consistent=True)
    assert item is not None
    deployment.dynamo.put(deployment.settings.ledger_table, {**item, "kind": "poison"}, Expression("#id = #id"))
    for attempt in range(MAX_ATTEMPTS):
        usual = runner(deployment, hours=2 * attempt)
        seen = replace(usual, kinds={**usual.kinds, "poison": poisoned}).run(LONG)
        assert deployment.jobs.get(bob, good["id"])["status"] == "succeeded"
    assert seen.failed == {bad["id"]: "RuntimeError"}
    failed = deployment.jobs.get(ADMIN, bad["id"])
    assert failed["status"] == "failed"
    assert "secret" not in failed["error"]
    assert deployment.erasing.me(alice)["id"] != bad["id"], "a failed erasure can be asked for again"


def test_a_process_that_is_killed_at_the_same_place_every_time_fails_visibly(
    deployment: Deployment, alice: Caller
) -> None:
    def deadly(_job: Item) -> Progress:
        raise Killed

    job = deployment.erasing.me(alice)
    for attempt in range(MAX_ATTEMPTS):
        with pytest.raises(Killed):
            replace(runner(deployment, attempt), kinds={USER: deadly}).run(LONG, job["id"])
    replace(runner(deployment, 100), kinds={USER: deadly}).run(timedelta(0), job["id"])
    failed = deployment.jobs.get(alice, job["id"])
    assert (failed["status"], failed["error"].partition(":")[0]) == ("failed", "interrupted")


def test_two_runners_at_once_do_the_work_of_one(deployment: Deployment, alice: Caller) -> None:
    ids = planted(deployment, alice, 20)
    job = deployment.erasing.me(alice)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: runner(deployment, page=2).run(LONG, job["id"]), range(4)))
    done = deployment.jobs.get(alice, job["id"])
    assert done["receipt"]["counts"]["records"] == 20
    assert sum(run.succeeded for run in runs) >= 1
    assert not versions(deployment, *ids)


def test_who_lost_the_lease_saves_nothing(deployment: Deployment, alice: Caller) -> None:
    """A process stalls in the middle of a page, another one does the whole job, and the first wakes up."""
    planted(deployment, alice, 4)
    job = deployment.erasing.me(alice)

    def stalled(item: Item) -> Progress:
        progress = deployment.erasure(item)
        runner(deployment, hours=1).run(LONG, job["id"])
        assert deployment.jobs.get(alice, job["id"])["status"] == "succeeded"
        return progress

    kinds = {USER: stalled, DATASET: stalled}
    replace(runner(deployment), kinds=kinds).run(timedelta(0), job["id"])
    assert deployment.jobs.get(alice, job["id"])["status"] == "succeeded"


@contextmanager
def stubborn(deployment: Deployment, key: str, times: int) -> Iterator[Versions]:
    """Versions of which one key's will not go."""
    s = deployment.settings
    bucket = StubbornBucket(s.bucket, s.region, deployment.credentials, s.endpoint_url)
    bucket.key, bucket.times = key, times
    with closing(bucket):
        yield Versions(bucket, deployment.versions.executor)


def test_an_object_that_cannot_be_deleted_is_tried_again(deployment: Deployment, alice: Caller) -> None:
    ids = planted(deployment, alice, 5)
    job = deployment.erasing.me(alice)
    with stubborn(deployment, f"images/{ids[1]}.png", 2) as hindered:
        done = run(deployment, job, versions=hindered, again=timedelta(0))
    assert (done["status"], done["receipt"]["counts"]["records"]) == ("succeeded", 5)
    assert not versions(deployment, *ids)


def test_an_object_that_can_never_be_deleted_is_named(deployment: Deployment, alice: Caller) -> None:
    ids = planted(deployment, alice, 5)
    key = f"images/{ids[1]}.png"
    job = deployment.erasing.me(alice)
    with stubborn(deployment, key, 1000) as hindered:
        done = run(deployment, job, versions=hindered, again=timedelta(0))
    assert (done["status"], done["receipt"]) == ("failed", None)
    assert key in done["error"]
    assert [record["id"] for record in records_of(deployment, alice)] == [ids[1]], "all the others are gone"
    again = deployment.erasing.me(alice)
    assert again["id"] != job["id"]
    assert run(deployment, again)["status"] == "succeeded"
    assert not versions(deployment, *ids)


def test_a_deleted_dataset_leaves_the_history_whole(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    dataset = deployment.datasets.create(alice, {**BRAND, "visibility": "public"})
    mine, theirs = generate(deployment, alice, dataset["id"]), generate(deployment, bob, dataset["id"])
    plain = generate(deployment, alice)
    deployment.bucket.put(f"references/{dataset['id']}/a.png", b"ref", "image/png", cache_control="", tags={})
    for stranger, refusal in ((bob, Forbidden), (ANONYMOUS, Forbidden)):
        with pytest.raises(refusal):
            deployment.erasing.dataset(stranger, dataset["id"])

    job = deployment.erasing.dataset(alice, dataset["id"])
    assert job["kind"] == "delete_dataset"
    assert deployment.datasets.page(alice)["datasets"] == [], "it is gone from the lists at once"
    assert deployment.erasing.dataset(alice, dataset["id"])["id"] == job["id"]
    with pytest.raises(NotFound):
        deployment.erasing.dataset(bob, dataset["id"])
    done = run(deployment, job)

    assert done["receipt"]["counts"] == {"reference_versions": 1, "records_unlinked": 2}
    assert not versions(deployment, dataset["id"])
    assert rows(deployment, BY_DATASET, "dataset_id", dataset["id"]) == []
    for caller, record in ((alice, mine), (bob, theirs)):
        after = deployment.history.get(caller, record["id"], "")
        before = deployment.history.get(caller, plain["id"] if caller is alice else theirs["id"], "")
        assert after["status"] == before["status"] == "succeeded"
        assert after["dataset_id"] is None
        assert (after["dataset_version"], after["unique_visual_elements"]) == (1, ["wooden tables"])
        ids = [image["id"] for image in deployment.history.page(caller, HistoryQuery(), "")["images"]]
        assert record["id"] in ids
        listed = deployment.history.page(caller, HistoryQuery(dataset_id=dataset["id"]), "")["images"]
        assert listed == []
    item = deployment.dynamo.get(deployment.settings.images_table, mine["id"], consistent=True)
    assert item is not None
    assert not {"dataset_id", "dataset_shelf"} & set(item)


def test_a_generation_that_finishes_during_the_deletion_ends_without_the_dataset(
    deployment: Deployment, alice: Caller
) -> None:
    dataset = deployment.datasets.create(alice, BRAND)
    job: dict[str, Any] = {}

    def model(request: ImageRequest) -> ModelOutput:
        job.update(deployment.erasing.dataset(alice, dataset["id"]))
        runner(deployment).run(timedelta(seconds=1), job["id"])
        assert deployment.jobs.get(alice, job["id"])["status"] == "running"
        return procedural.generate(request)

    request = GenerateRequest.model_validate({"prompt": "a lighthouse", "dataset_id": dataset["id"]})
    record, _ = given_model(deployment, model).generate(alice, request, LEFT)
    assert run(deployment, job)["status"] == "succeeded"
    item = deployment.dynamo.get(deployment.settings.images_table, record["id"], consistent=True)
    assert item is not None
    assert item["status"] == "succeeded"
    assert not {"dataset_id", "dataset_shelf"} & set(item)
    assert item["shelf"] == f"succeeded {alice.owner}"


def test_a_change_of_the_record_meanwhile_is_not_lost(deployment: Deployment, alice: Caller) -> None:
    dataset = deployment.datasets.create(alice, BRAND)
    record = generate(deployment, alice, dataset["id"])
    job = deployment.erasing.dataset(alice, dataset["id"])

    class Interrupted(Dynamo):
        def update(self, table: str, key: Any, change: Expression, condition: Expression | None = None) -> Item:
            if key == record["id"]:
                deployment.dynamo.update(table, key, Expression("SET #favorite = :yes", {"yes": True}))
            return super().update(table, key, change, condition)

    run(deployment, job, dynamo=Interrupted(deployment.dynamo._endpoint))
    after = deployment.history.get(alice, record["id"], "")
    assert (after["favorite"], after["dataset_id"]) == (True, None)


def test_versions_are_found_among_those_of_others(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    """Keys that lie far apart and close together, with many versions and with none."""
    mine, theirs = [], []
    for _ in range(12):
        mine += planted(deployment, alice, 1)
        theirs += planted(deployment, bob, 9)
    key = f"images/{mine[5]}.png"
    for _ in range(30):
        deployment.bucket.delete(key)
    before = versions(deployment, *theirs)
    keys = [name for id_ in mine for name in (f"images/{id_}.png", f"thumbnails/{id_}.webp", f"images/{id_}.jpg")]
    erased = deployment.versions.erase(keys)
    assert erased.count == 12 * 2 * 3 + 30
    assert not versions(deployment, *mine)
    assert versions(deployment, *theirs) == before


def test_an_account_deleted_in_the_user_pool_begins_the_erasure(stack: Stack, deployment: Deployment) -> None:
    """The event as CloudTrail gives it passes the rule; that of another pool begins nothing."""
    mine, theirs = str(uuid4()), str(uuid4())
    event = json.loads((EVENTS / "erase_deleted_user.json").read_text())
    events = stack.client("events")
    pattern = events.describe_rule(Name=stack.resources["EraseDeletedUserAccountDeleted"])["EventPattern"]
    for subject, pool in {mine: stack.outputs["UserPoolId"], theirs: "us-east-1_Another00"}.items():
        parameters = {**event["detail"]["requestParameters"], "userPoolId": pool}
        detail = {**event["detail"], "additionalEventData": {"sub": subject}, "requestParameters": parameters}
        text = json.dumps({**event, "detail": detail})
        assert events.test_event_pattern(EventPattern=pattern, Event=text)["Result"]
        failed = json.dumps({**event, "detail": {**detail, "errorCode": "AccessDenied"}})
        assert not events.test_event_pattern(EventPattern=pattern, Event=failed)["Result"]
        answer = stack.client("lambda").invoke(FunctionName=stack.resources["EraseDeletedUser"], Payload=text)
        assert "FunctionError" not in answer
    herself = str(uuid4())  # whoever deletes their own account shows a token, and names no pool
    detail = {**event["detail"], "eventName": "DeleteUser", "additionalEventData": {"sub": herself}}
    text = json.dumps({**event, "detail": {**detail, "requestParameters": None}})
    assert events.test_event_pattern(EventPattern=pattern, Event=text)["Result"]
    stack.client("lambda").invoke(FunctionName=stack.resources["EraseDeletedUser"], Payload=text)
    assert deployment.jobs.claimed(claim(USER, herself)) is not None
    job = deployment.jobs.claimed(claim(USER, mine))
    assert job is not None
    assert (job["kind"], job["subject"]) == (USER, mine)
    assert deployment.jobs.claimed(claim(USER, theirs)) is None


def test_a_signed_webhook_begins_the_erasure(stack: Stack, deployment: Deployment, alice: Caller) -> None:
    key = b"a key of twenty-four by!"
    secret = f"webhook-{uuid4()}"
    text = f"whsec_{base64.b64encode(key).decode()}"
    stack.client("secretsmanager").create_secret(Name=secret, SecretString=text)
    given = stack.environment("ReceiveUserDeleted") | {"WEBHOOK_SECRET_NAME": secret}
    body = json.dumps({"type": "user.deleted", "data": {"id": alice.user_id, "object": "user"}}).encode()
    timestamp = str(int(time.time()))
    digest = hmac.digest(key, f"msg_1.{timestamp}.".encode() + body, "sha256")
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    with closing(Deployment(Settings.from_environment(given))) as receiver:
        with pytest.raises(InvalidSignature):
            receiver.webhooks.verify(headers, body + b" ")
        receiver.webhooks.verify(headers, body)
    begun = deployment.erasing.gone(str(alice.user_id))
    assert deployment.erasing.gone(str(alice.user_id))["id"] == begun["id"], "a message that comes twice is one job"


def test_reports_and_the_lake_forget_who_leaves(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    planted(deployment, alice, 2)
    generate(deployment, bob)
    fold, today = deployment.fold, f"{moments.utc_now():%Y-%m-%d}"
    fold.fold(today, Folded())
    assert fold.store.rows_of(alice.owner, today)
    kicks = [0]

    def kick() -> None:
        kicks[0] += 1

    steps = {"reports": Forgetting(store=fold.store, kick=kick).forget}
    patient = runner(deployment, steps=steps)
    folds: list[str] = []

    def pause(seconds: float) -> None:
        if kicks[0] and not folds:  # what was asked for has begun, and is through when the job looks again
            folds.append(today)
            fold.fold(today, Folded())
        patient.pause(seconds)

    job = deployment.erasing.me(alice)
    replace(patient, pause=pause).run(LONG, job["id"])
    done = deployment.jobs.get(ADMIN, job["id"])
    assert (done["status"], done["receipt"]["counts"]["reports"], kicks) == ("succeeded", 1, [1])
    assert fold.store.rows_of(alice.owner) == []
    query = ReportQuery(report="users", limit=1_000)
    told = str(deployment.reports.get(ADMIN, query))
    assert (str(alice.user_id) in told, str(bob.user_id) in told) == (False, True)
    parquet = deployment.bucket.get(lake_key(today)) or b""
    assert parquet.startswith(b"PAR1")
    assert len(deployment.bucket.versions(lake_key(today))) == 1
