"""Waiting for what happens by itself, however busy the machine is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 180.0  # seconds, which only a failing test takes


def until(probe: Callable[[], T]) -> T:
    """The first true value of `probe`. Raises TimeoutError with the last one when there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {value!r} after {PATIENCE:.0f} s")
        time.sleep(0.05)
    return value
