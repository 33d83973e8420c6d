"""The measured process. It imports next to nothing of its own: MODE HANDLER EVENT [NUMBERS], report on standard output.

cold    answers once and exits; the parent measures.
answer  reports the answer's body.
warm    BLOCKS CALLS: reports the CPU microseconds of a call, block by block.
memory  CALLS: reports the megabytes that are resident after that many calls.
images  COUNT: reports what `generating` has seen of that many generations.
fold    COUNT: reports what `folding` has seen of a day with that many records.
"""

# Lambda's own runtime client has these at hand before it imports any handler.
import decimal  # noqa: F401
import json
import logging  # noqa: F401
import os
import sys
import time
import traceback  # noqa: F401
from importlib import import_module
from typing import Any

from tests.bench import events

_WARM_UP = 150


def main() -> None:
    """Runs the mode that the command line asks for."""
    mode, handler, event, *numbers = sys.argv[1:]
    module, _, function = handler.rpartition(".")
    if mode in ("images", "fold"):
        module = "tests.bench.generating" if mode == "images" else "tests.bench.folding"
        import_module(module).report(int(numbers[0]))
        return
    call = _Call(getattr(import_module(module), function), getattr(events, event))
    if mode == "cold":
        call()
        os._exit(0)
    reports: dict[str, Any] = {"answer": call.body, "warm": call.warm, "memory": call.memory}
    print("\n" + json.dumps(reports[mode](*map(int, numbers))))


class _Call:
    def __init__(self, handler: Any, event: dict[str, Any]) -> None:
        self._handler, self._event, self._context = handler, event, events.Context()

    def __call__(self) -> Any:
        answer = self._handler(self._event, self._context)
        if answer["statusCode"] != 200:
            raise RuntimeError(f"answered {answer}")
        return answer

    def body(self) -> Any:
        return json.loads(self()["body"])

    def warm(self, blocks: int, calls: int) -> list[float]:
        for _ in range(_WARM_UP):
            self()
        found = []
        for _ in range(blocks):
            before = time.process_time()
            for _ in range(calls):
                self()
            found.append((time.process_time() - before) / calls * 1e6)
        return found

    def memory(self, calls: int) -> float:
        for _ in range(calls):
            self()
        return resident_mb()


def resident_mb() -> float:
    """The memory this process holds now; where there is no /proc, the most it ever held."""
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123 (pathlib would be part of what is measured)
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
