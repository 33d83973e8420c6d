"""What the pages are built of is exactly what was pinned."""

import re
from pathlib import Path

import pytest

from local import packages
from local.problem import ProblemError

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "web").glob("*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_is_pinned_by_version_and_digest_and_by_nothing_else(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"\S+ \d+\.\d+\.\d+ sha512-[A-Za-z0-9+/]{86}==( (linux|darwin)-(x64|arm64))?", line), line
    names = [line.split()[0] for line in lines]
    assert names == sorted(set(names))


def test_a_package_that_is_not_what_it_was_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a-1.0.0.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(ProblemError, match=r"a@1\.0\.0 is not what it was"):
        packages._checked(packages.Pin("a", "1.0.0", "sha512-A=="), archive)


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    lock = tmp_path / "one.lock"
    lock.write_text("# a comment\nno-such-package 1.0.0 sha512-A==\nanother 1.0.0 sha512-B== plan9-mips\n")
    home = tmp_path / "modules" / "no-such-package"
    home.mkdir(parents=True)
    (home / ".digest").write_text("sha512-A==")
    packages.install(lock, tmp_path / "modules")
