"""The data folder: it becomes private, what is not imagetrail's stays as it is, and a damaged file of it is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.folder import Folder, make_private
from local.problem import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME = dict.fromkeys(("url", "issuer", "own_issuer", "user_pool", "client"), "x") | {"endpoint": "http://h:4566"}


def modes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in sorted(folder.rglob("*"))}


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        for one in (path, *path.parents[: len(path.relative_to(folder).parts) - 1]):
            one.chmod(0o755 if one.is_dir() else 0o644)
    folder.chmod(0o755)
    return folder


def test_a_new_folder_is_private(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_folder_of_before_becomes_private_and_nothing_else_in_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", "snapshot.json", "keys/pool/a.pem", "s3/b/images/a.png", "notes/todo.txt")
    (folder / "keys" / "elsewhere").symlink_to(fill(tmp_path / "other", "file") / "file")
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {name: mode for name, mode in modes(folder).items() if mode & 0o077 and name != "keys/elsewhere"} == {
        "notes": 0o755,
        "notes/todo.txt": 0o644,
    }
    assert modes(tmp_path / "other") == {"file": 0o644}


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = fill(tmp_path / "home", "thesis.txt", "keys/a.pem")
    before = modes(tmp_path)
    with pytest.raises(ProblemError, match="DATA_DIR"):
        make_private(folder)
    assert modes(tmp_path) == before


def test_an_empty_file_system_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    (folder / "lost+found").mkdir(parents=True)
    folder.chmod(0o777)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:91234", "http://127.0.0.1:0", "http://127.0.0.1:x", "http://127.0.0.1", "", 4566]
)
def test_an_endpoint_that_is_none_is_named(tmp_path: Path, endpoint: object) -> None:
    (tmp_path / "runtime.json").write_text(json.dumps(RUNTIME | {"endpoint": endpoint}))
    with pytest.raises(ProblemError, match=r"runtime\.json is damaged; delete it"):
        _ = Folder(tmp_path).runtime


def test_a_runtime_is_read(tmp_path: Path) -> None:
    assert Folder(tmp_path).runtime is None
    (tmp_path / "runtime.json").write_text(json.dumps(RUNTIME))
    runtime = Folder(tmp_path).runtime
    assert runtime is not None
    assert runtime.port == 4566
