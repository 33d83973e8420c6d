"""A data folder that lost a file, or part of one: one sentence names the file and the remedy, and nothing starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from local.template import ROOT
from local.testing import running
from tests.browser.api import Api

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a service that was used and stopped."""
    data = tmp_path_factory.mktemp("used") / "data"
    with running(data) as service:
        for number in range(3):
            Api(service, "alice").generate(f"kept image {number}")
    return data


@pytest.fixture
def data(used: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(used, tmp_path / "data"))


def start(data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.run"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PORT": "0", "DATA_DIR": str(data)},
        check=False,
    )


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path) -> None:
    """Changes one bit of a value in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rubbish(path: Path) -> None:
    path.write_bytes(os.urandom(500))


DAMAGES: list[Callable[[Path], None]] = [remove, empty, halve, flip, rubbish]
FILES = ["snapshot.json", "items.jsonl", "keys/cognito-pool-keys/*-access.pem", "keys/lambda-blobs/*.zip"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_nothing_starts_on_damaged_data(data: Path, file: str, damage: Callable[[Path], None]) -> None:
    (path,) = data.glob(file)
    damage(path)
    done = start(data)
    assert done.returncode == 1
    assert "is ready" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"imagetrail: {path} ")
    assert line.endswith("Restore the data folder from a backup, or move it away to begin with an empty history.")


def test_a_whole_folder_of_keys_is_missed(data: Path) -> None:
    shutil.rmtree(data / "keys")
    done = start(data)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{data / 'keys'}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_pixels_alone_are_no_new_folder(data: Path) -> None:
    for name in ("snapshot.json", "items.jsonl", "runtime.json", "welcomed"):
        (data / name).unlink()
    done = start(data)
    assert done.returncode == 1
    assert f"{data / 'snapshot.json'} is missing" in done.stderr


@pytest.mark.parametrize("damage", [empty, halve, rubbish])
@pytest.mark.parametrize("file", ["runtime.json", "credentials"])
def test_what_can_be_created_again_may_be_deleted(data: Path, file: str, damage: Callable[[Path], None]) -> None:
    path = data / file
    damage(path)
    done = start(data)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"imagetrail: {path} ")
    assert "delete it and start again" in line


def test_after_deleting_those_everything_is_there(data: Path) -> None:
    (data / "runtime.json").unlink()
    (data / "credentials").unlink()
    with running(data) as service:
        images = Api(service, "alice").call("GET", "/ai/generated-images")["images"]
        assert [image["prompt"] for image in images] == ["kept image 2", "kept image 1", "kept image 0"]
        assert urlopen(images[0]["image_url"]).read()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_picture_is_an_error_that_names_its_file(data: Path, damage: Callable[[Path], None]) -> None:
    with running(data) as service:
        newest, *others = Api(service, "alice").call("GET", "/ai/generated-images")["images"]
        (file,) = data.glob(f"s3/*/*/images/{newest['id']}.webp")
        damage(file)
        with pytest.raises(HTTPError) as failure:
            urlopen(newest["image_url"])
        assert failure.value.code == 500
        failure.value.close()
        assert f"{file} is damaged" in service.log.read_text()
        with urlopen(others[0]["image_url"]) as answer:
            assert answer.status == 200


def test_the_folder_and_all_in_it_are_private(used: Path) -> None:
    assert used.stat().st_mode & 0o777 == 0o700
    modes = {path: path.stat().st_mode & 0o077 for path in used.rglob("*") if not path.is_symlink()}
    assert not [path for path, others in modes.items() if others]


def test_a_folder_of_before_becomes_private(used: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(used, tmp_path / "open"))
    data.chmod(0o755)
    (data / "snapshot.json").chmod(0o644)
    with running(data):
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / "snapshot.json").stat().st_mode & 0o777 == 0o600
