"""A deployed stack in a data folder, copied for tests that change it: a copy starts in a second."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.emulator.launch import emulator
from local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.emulator.launch import Emulator

PARAMETERS = {"PublicUrl": "http://localhost:3000"}


@contextmanager
def started(data: Path) -> Iterator[tuple[Stack, Emulator]]:
    """What stands in a data folder, without deploying it again."""
    with emulator(data, 0) as machine:
        yield Stack(machine.endpoint, machine.credentials), machine
