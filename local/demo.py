"""`make demo`: ninety days of a brand's images, made by the service's own code against a running `make run`.

The same every time, but for the dates, which end today. The painter stands in for every model: a record names the model
that the brand would have used, with its price and its usual speed, and says by its provider who really painted.
"""

from __future__ import annotations

import math
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from imagetrail import moments
from imagetrail.analytics.reports import ReportQuery
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import procedural
from imagetrail.models.catalog import Catalog
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.aws import isolate
from local.folder import Folder
from local.problem import ProblemError
from local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.dynamo import Item
    from imagetrail.generation import Generation
    from imagetrail.models import ImageModel, ImageRequest, ModelOutput

DAYS = 90
_BRAND = "Nordlys Coffee"
_OUTAGE = range(44, 47)
_CAMPAIGN = 58
_LONG = timedelta(days=DAYS + 2)

_DATASETS: tuple[dict[str, Any], ...] = (
    {
        "name": "Nordlys cafés",
        "vibe": "calm, low northern light",
        "unique_visual_elements": ["birch tables", "pendant lights", "wool blankets", "slate floor"],
    },
    {
        "name": "Nordlys packaging",
        "vibe": "crafted, tactile",
        "unique_visual_elements": ["copper foil", "kraft paper", "hand-drawn aurora", "birch tables"],
    },
    {
        "name": "Nordlys winter campaign",
        "vibe": "quiet and warm",
        "unique_visual_elements": ["hand-drawn aurora", "copper lanterns", "wool blankets", "falling snow"],
    },
)
_SUBJECTS = (
    ("the counter of a small café", "two friends at a window table", "a barista pouring milk", "an empty terrace"),
    ("a bag of coffee beans", "a stack of paper cups", "a gift box with a ribbon", "a label seen close up"),
    ("a cabin in the snow", "a lantern on a frozen lake", "a mug by the fire", "a crowd at a winter market"),
)
_LIGHTS = ("at golden hour", "in morning mist", "at blue hour", "under studio light", "in soft rain")
_DETAILS = ("with rising steam", "hands holding a cup", "seen from above", "with a mountain behind", "on a wooden tray")
_STYLES = ("photographic", "paper cut", "watercolor", "line-art", None)
_RATIOS = ("1:1", "4:5", "16:9", "9:16", "3:2")
_USERS = ("maya", "jonas", "aiko", "omar", "lena", None)
_SHARES = (30, 22, 18, 12, 8, 10)

# By model, its share of the images, and the seconds that half of its answers take.
_MODELS = {
    "stability-rest/core": (48, 3.2),
    "gemini": (26, 8.5),
    "bedrock/ultra": (16, 6.1),
    "stability-rest/sd3.5-flash": (10, 1.4),
}


@dataclass(slots=True)
class Clock:
    """The time of what is being made."""

    time: datetime

    def now(self) -> datetime:
        return self.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One image of the demo: what is asked for, by whom and when, and what becomes of it."""

    image_id: str
    at: datetime
    user: str | None
    dataset: int | None
    fields: dict[str, Any]
    seconds: float
    fails: str | None
    favorite: bool
    thrown: bool
    parent_id: str | None = None


@dataclass(slots=True)
class Made:
    """What the demo has brought about."""

    images: int = 0
    failures: int = 0
    favorites: int = 0
    regenerations: int = 0
    thrown: int = 0
    users: set[str | None] = field(default_factory=set)


def plan(today: datetime) -> Iterator[Planned]:
    """Every image, in order of time. The last day is `today`."""
    chance = random.Random("nordlys")  # noqa: S311 (the same in every run)
    for number in range(DAYS):
        busy = (1.2 + number / 38) * (0.4 if number % 7 in (5, 6) else 1) * (1.6 if number >= _CAMPAIGN else 1)
        midnight = (today - timedelta(days=DAYS - 1 - number)).replace(hour=0, minute=0, second=0, microsecond=0)
        times = sorted(chance.random() for _ in range(round(busy + chance.random())))
        for part in times:
            # Today is not over: its images were made in the first minutes of it.
            at = midnight + part * (timedelta(hours=23) if number < DAYS - 1 else timedelta(minutes=5))
            one = _planned(chance, number, at)
            yield one
            again = at
            while one.fails is None and not one.favorite and chance.random() < _regret(one):
                again += timedelta(seconds=chance.randrange(5, 15))
                one = _becoming(chance, number, again, one.user, one.dataset, one.fields, one.image_id)
                yield one


def _planned(chance: random.Random, number: int, at: datetime) -> Planned:
    season = 3 if number >= _CAMPAIGN else 2
    dataset = chance.choices(range(season), [5, 3, 7][:season])[0]
    prompt = " ".join([chance.choice(_SUBJECTS[dataset]), chance.choice(_LIGHTS), chance.choice(_DETAILS)])
    fields = {
        "prompt": prompt[0].upper() + prompt[1:],
        "style": chance.choices(_STYLES, [8, 4, 3, 1, 4])[0],
        "aspect_ratio": chance.choices(_RATIOS, [6, 5, 3, 2, 1])[0],
        "quality": chance.choices(("draft", "standard", "high"), [2, 6, 2])[0],
        "format": chance.choices(("jpg", "webp", "png"), [8, 3, 1])[0],
        "model": chance.choices(list(_MODELS), [share for share, _ in _MODELS.values()])[0],
    }
    user = chance.choices(_USERS, _SHARES)[0]
    return _becoming(chance, number, at, user, dataset if chance.random() < 0.85 else None, fields)


def _becoming(
    chance: random.Random,
    number: int,
    at: datetime,
    user: str | None,
    dataset: int | None,
    fields: dict[str, Any],
    parent_id: str | None = None,
) -> Planned:
    prompt, name = fields["prompt"], fields["model"]
    fails = None
    if (name == "gemini" and number in _OUTAGE and chance.random() < 0.7) or chance.random() < 0.015:
        fails = "failed"
    elif "crowd" in prompt and chance.random() < 0.15:
        fails = "blocked"
    liked = 0.12 + 0.3 * ("golden hour" in prompt) + 0.22 * ("steam" in prompt) - 0.1 * ("hands" in prompt)
    return Planned(
        image_id=moments.new_id(at, chance.getrandbits(74)),
        at=at,
        user=user,
        dataset=dataset,
        fields={**fields, "seed": chance.getrandbits(31)},
        seconds=_MODELS[name][1] * math.exp(chance.gauss(0, 0.35)),
        fails=fails,
        favorite=fails is None and chance.random() < liked,
        thrown=fails is None and chance.random() < 0.07,
        parent_id=parent_id,
    )


def _regret(one: Planned) -> float:
    prompt = one.fields["prompt"]
    return 0.08 + 0.22 * ("hands" in prompt or "crowd" in prompt)


class Demo:
    """Makes what is planned, by the use cases that requests go through; `paint` stands in for every model."""

    def __init__(self, deployment: Deployment, today: datetime, paint: ImageModel) -> None:
        self._deployment, self._today, self._paint = deployment, today, paint
        self._datasets: list[str] = []

    def begin(self) -> None:
        """Creates the brand's datasets. Raises ProblemError when they are there already."""
        founder = Caller("maya")
        if any(dataset["brand"] == _BRAND for dataset in self._deployment.datasets.page(founder)["datasets"]):
            raise ProblemError("the demo is there already; move the data folder to begin anew")
        for number, fields in enumerate(_DATASETS):
            created = self._today - timedelta(days=DAYS + 1 if number < 2 else DAYS - _CAMPAIGN + 1)
            datasets = replace(self._deployment.datasets, now=Clock(created).now)
            made = datasets.create(founder, {**fields, "brand": _BRAND, "visibility": "public"})
            self._datasets.append(made["id"])

    def make(self, one: Planned) -> Item | None:
        """One image, with what becomes of it; None if it fails."""
        caller, clock = ANONYMOUS if one.user is None else Caller(one.user), Clock(one.at)
        dataset = None if one.dataset is None else self._datasets[one.dataset]
        generation = self._generation(one, clock)
        parent = None if one.parent_id is None else {"parent_id": one.parent_id}
        request = GenerateRequest.model_validate({**one.fields, "dataset_id": dataset})
        # It must not count as abandoned while it is made: its time is long past.
        pending, _ = generation.start(caller, request, _LONG, image_id=one.image_id, columns=parent)
        with suppress(ModelFailed, Blocked):
            record = generation.finish(pending, timedelta(minutes=1))
            if one.favorite:
                self._deployment.images.mark(caller, one.image_id, favorite=True)
            if one.thrown and one.user is not None:
                self._deployment.trash.throw(caller, one.image_id)
            return record
        return None

    def _generation(self, one: Planned, clock: Clock) -> Generation:
        def model(request: ImageRequest) -> ModelOutput:
            clock.time += timedelta(seconds=one.seconds)
            if one.fails == "failed":
                raise ModelFailed("The image model did not answer in time.", charged=False)
            if one.fails == "blocked":
                raise Blocked
            return self._paint(request)

        catalog = Catalog(",".join(_MODELS), lambda _: model)
        return replace(self._deployment.generation, catalog=catalog, now=clock.now)


def run(deployment: Deployment, today: datetime, paint: ImageModel = procedural.generate) -> Made:
    """The whole demo, and its reports. Raises ProblemError."""
    demo, made, planned = Demo(deployment, today, paint), Made(), list(plan(today))
    demo.begin()
    # A regeneration needs the image it is of: what belongs together is made in order.
    families: dict[str, list[Planned]] = {}
    for one in planned:
        families[one.image_id] = family = families.get(one.parent_id or "", [])
        family.append(one)
    with (
        ThreadPoolExecutor(2) as workers,
        click.progressbar(length=len(planned), label="Images", file=sys.stderr) as bar,
    ):
        whole = list({id(family): family for family in families.values()}.values())
        for family, records in zip(whole, workers.map(lambda family: list(map(demo.make, family)), whole), strict=True):
            bar.update(len(family))
            for one, record in zip(family, records, strict=True):
                made.images += record is not None
                made.failures += record is None
                made.favorites += one.favorite
                made.regenerations += one.parent_id is not None
                made.thrown += one.thrown and one.user is not None
                made.users.add(one.user)
    deployment.fold.run(planned[0].at.date().isoformat())
    return made


def main() -> int:
    """Against the service that runs on DATA_DIR."""
    isolate()
    folder = Folder.from_environment()
    runtime = folder.runtime
    try:
        if runtime is None or not folder.is_held:
            raise ProblemError("the service is not running; start it in another terminal: make run")
        environment = Stack(runtime.endpoint, folder.credentials).environment("GenerateImage")
        with closing(Deployment(Settings.from_environment(environment))) as deployment:
            made = run(deployment, datetime.now(UTC))
            query = ReportQuery(report="volume", from_=(datetime.now(UTC) - timedelta(days=DAYS)).date())
            total = deployment.reports.get(Caller("demo", is_admin=True), query)["total"]
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    print(
        f"{_BRAND}: {made.images} images of {len(made.users)} users on {DAYS} days, {made.favorites} favourites, "
        f"{made.regenerations} regenerations, {made.failures} failures, {made.thrown} in the trash, "
        f"${total['cost_usd']:.2f}"
    )
    print("  see them    make -s token SUB=maya")
    print(f"  reports     {runtime.url}/ai/analytics/models")
    print("  ask         make sql FILE=sql/most_used_visual_elements.sql")
    return 0


if __name__ == "__main__":
    sys.exit(main())
