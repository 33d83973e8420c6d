"""The fold of a large day: records a second of CPU, and the most memory it takes, at two sizes."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import TYPE_CHECKING

from tests.bench import processes
from tests.bench.rows import Effort, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.processes import Stub


def rows(_stub: Stub, effort: Effort) -> Iterator[Row]:
    """No peers: the usual ways keep all of a day in memory, or scan."""
    with processes.stub("tests.bench.trail") as trail:
        for count in effort.folded:
            seen = processes.run("fold", "functions.fold_days.handler", "-", trail.plain, count)
            yield Row(f"fold of {count:,} speed", "records/CPU s", count / seen["cpu"])
            yield Row(f"fold of {count:,} memory", "MB", seen["memory"])


def report(count: int) -> None:
    """Runs in the measured process: folds a day of that many records, rollups of a tenth as many users and all."""
    from imagetrail.analytics.folding import Folded
    from imagetrail.wiring import deployment
    from tests.bench.trail_day import day_of

    folded, before = Folded(), time.process_time()
    deployment().fold.fold(day_of(count), folded)
    spent = time.process_time() - before
    if folded.days != {day_of(count): count} or folded.skipped:
        raise RuntimeError(f"folded {folded}")
    unit = 1 if sys.platform == "darwin" else 1_000
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print("\n" + json.dumps({"cpu": spent, "memory": memory}))
