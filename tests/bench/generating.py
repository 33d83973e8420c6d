"""Our own part of a 1K PNG generation: the CPU of each step, and how often it waits for AWS in a row."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

from functions.generate_image import handler
from imagetrail import generation, ledger, provenance
from imagetrail.aws import Endpoint
from imagetrail.models import procedural
from tests.bench import events, processes
from tests.bench.rows import Effort, Row
from tests.bench.worker import resident_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.processes import Stub

_WHOLE, _TRIPS, _MEMORY = "whole", "round trips", "memory"
_STEPS: dict[str, tuple[tuple[Any, str], ...]] = {
    "compose+begin": ((generation.Generation, "_compose"), (ledger.Ledger, "begin")),
    "paint": ((procedural, "paint"),),
    "render+encode+thumbnail": ((generation, "encode"),),
    "xmp+sha256": ((provenance, "embed"), (generation, "stored")),
    "s3 puts": ((generation.Generation, "_store"),),
    "settle": ((ledger.Ledger, "settle"),),
}


def rows(stub: Stub, effort: Effort) -> Iterator[Row]:
    """The steps, what is left beside them, and their sum, without peers."""
    seen = processes.run("images", "functions.generate_image.handler", "GENERATE", stub.plain, effort.images)
    for name in _STEPS:
        yield Row(f"generation {name}", "CPU ms", seen[name])
    yield Row("generation validate+answer", "CPU ms", seen[_WHOLE] - sum(seen[name] for name in _STEPS))
    yield Row("generation whole", "CPU ms", seen[_WHOLE])
    yield Row("generation round trips", "in a row", seen[_TRIPS])
    yield Row("generation memory", "MB", seen[_MEMORY])


def report(images: int) -> None:
    """Runs in the measured process: generates once to warm up, then `images` times; prints medians."""
    watch = _Watch()
    for name, functions in _STEPS.items():
        for owner, function in functions:
            setattr(owner, function, watch.step(name, getattr(owner, function)))
    Endpoint.request = watch.waiting(Endpoint.request)  # type: ignore[method-assign]
    rounds: dict[str, list[float]] = {}
    for number in range(images + 1):
        watch.start()
        with watch.spending(_WHOLE):
            answer = handler(events.GENERATE, events.Context())
        if answer["statusCode"] != 201:
            raise RuntimeError(f"answered {answer}")
        for name, value in {**watch.spent, _TRIPS: float(watch.trips())}.items():
            if number:
                rounds.setdefault(name, []).append(value)
    medians = {name: median(values) for name, values in rounds.items()}
    print("\n" + json.dumps(medians | {_MEMORY: resident_mb()}))


class _Watch:
    """CPU milliseconds by step, and the spans of the calls to AWS."""

    def start(self) -> None:
        self.spent: dict[str, float] = {}
        self._spans: list[tuple[float, float]] = []

    @contextmanager
    def spending(self, name: str) -> Iterator[None]:
        before = time.process_time()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + (time.process_time() - before) * 1000

    def step(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            with self.spending(name):
                return function(*arguments, **named)

        return watched

    def waiting(self, request: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return request(*arguments, **named)
            finally:
                self._spans.append((started, time.perf_counter()))

        return watched

    def trips(self) -> int:
        """The longest chain of calls of which each began after the one before had ended."""
        chain, free = 0, 0.0
        for started, ended in sorted(self._spans, key=lambda span: span[1]):
            if started >= free:
                chain, free = chain + 1, ended
        return chain
