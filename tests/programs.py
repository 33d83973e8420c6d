"""Programs of the system that single tests need, and the Debian packages that hold them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_PACKAGES = {
    "curl": "curl",
    "exiftool": "libimage-exiftool-perl",
    "exiv2": "exiv2",
    "initdb": "postgresql",
    "unzip": "unzip",
}
_POSTGRES = Path("/usr/lib/postgresql")


def program(name: str) -> Path | None:
    """Where it is; of PostgreSQL, which Debian keeps off the PATH, the newest."""
    kept = sorted(_POSTGRES.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    named = shutil.which(name)
    return kept[-1] if kept else Path(named) if named else None


def pytest_configure(config: pytest.Config) -> None:
    """Declares the mark."""
    config.addinivalue_line("markers", "needs(program): skips the test without it, and fails it where CI is set")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ends a test that lacks a program it needs, with how to install it."""
    for mark in item.iter_markers("needs"):
        (name,) = mark.args
        if program(name) is None:
            reason = f"{name} is not installed: apt-get install {_PACKAGES[name]}"
            if os.environ.get("CI", "").lower() in ("", "0", "false"):
                pytest.skip(reason)
            pytest.fail(f"{reason} (required where CI is set)", pytrace=False)
