"""A small file system of its own, for tests of a full disk."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def mount(*arguments: str) -> None:
    subprocess.run(["/bin/mount", "-t", "tmpfs", *arguments], check=True, capture_output=True)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """Mounts it on a new folder with these options. Skips the test where that is not allowed, but never in CI."""
    folder.mkdir()
    try:
        mount("-o", options, "none", str(folder))
    except (OSError, subprocess.CalledProcessError):
        if os.environ.get("CI"):
            raise
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)
