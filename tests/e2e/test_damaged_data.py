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

from local import credentials
from local.emulator import snapshot
from local.emulator.disk import Disk
from local.emulator.journal import REMEDY
from local.folder import Folder
from local.problem import ProblemError
from local.template import ROOT
from local.testing import Service, running
from tests.browser.api import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Damage = Callable[[Path], None]


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


DAMAGES: list[Damage] = [remove, empty, halve, flip, rubbish]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a service that was used and stopped: one image to keep, and one for each damage."""
    data = tmp_path_factory.mktemp("used") / "data"
    with running(data) as service:
        api = Api(service, "alice")
        for prompt in ("kept", *(damage.__name__ for damage in DAMAGES)):
            api.generate(prompt)
    return data


@pytest.fixture(scope="module")
def reopened(used: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on a copy as of before folders were private, without what can be created again."""
    data = Path(shutil.copytree(used, tmp_path_factory.mktemp("reopened") / "data"))
    (data / "runtime.json").unlink()
    (data / "credentials").unlink()
    data.chmod(0o755)
    (data / "snapshot.json").chmod(0o644)
    with running(data) as service:
        yield service


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


FILES = ["snapshot.json", "items.jsonl", "keys/cognito-pool-keys/*-access.pem", "keys/lambda-blobs/*.zip"]


def opened(data: Path) -> None:
    """Reads what `make run` and its emulator read before they start anything. Raises ProblemError."""
    assert Folder(data).runtime
    credentials.read(data)
    _, journal = snapshot.opened(data, Disk(data))
    journal.close()


def refusal(data: Path) -> str:
    with pytest.raises(ProblemError) as refused:
        opened(data)
    return str(refused.value)


def test_what_is_whole_is_opened(data: Path) -> None:
    opened(data)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_damaged_data_is_refused(data: Path, file: str, damage: Damage) -> None:
    (path,) = data.glob(file)
    damage(path)
    said = refusal(data)
    assert said.startswith(f"{path} ")
    assert said.endswith(REMEDY)


@pytest.mark.parametrize(
    ("file", "damage", "remedy"),
    [
        ("keys/cognito-pool-keys/*-access.pem", remove, REMEDY),
        ("items.jsonl", flip, REMEDY),
        ("runtime.json", halve, "delete it and start again: it is created again and no data is lost"),
    ],
)
def test_nothing_starts_on_it(data: Path, file: str, damage: Damage, remedy: str) -> None:
    (path,) = data.glob(file)
    damage(path)
    done = start(data)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"imagetrail: {path} ")
    assert line.endswith(remedy)


def test_a_whole_folder_of_keys_is_missed(data: Path) -> None:
    shutil.rmtree(data / "keys")
    assert refusal(data).startswith(f"{data / 'keys'} is missing")


def test_pixels_alone_are_no_new_folder(data: Path) -> None:
    for name in ("snapshot.json", "items.jsonl", "runtime.json", "welcomed"):
        (data / name).unlink()
    with pytest.raises(ProblemError, match=r"snapshot\.json is missing"):
        snapshot.read(data)


@pytest.mark.parametrize("damage", [empty, halve, rubbish])
@pytest.mark.parametrize("file", ["runtime.json", "credentials"])
def test_what_can_be_created_again_may_be_deleted(data: Path, file: str, damage: Damage) -> None:
    damage(data / file)
    said = refusal(data)
    assert said.startswith(f"{data / file} ")
    assert "delete it and start again" in said


def test_after_deleting_those_everything_is_there(reopened: Service) -> None:
    images = Api(reopened, "alice").call("GET", "/ai/generated-images")["images"]
    assert [image["prompt"] for image in images] == [*(damage.__name__ for damage in reversed(DAMAGES)), "kept"]
    with urlopen(images[-1]["image_url"]) as answer:
        assert answer.read()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_picture_is_an_error_that_names_its_file(reopened: Service, damage: Damage) -> None:
    images = Api(reopened, "alice").call("GET", "/ai/generated-images")["images"]
    by_prompt = {image["prompt"]: image for image in images}
    image = by_prompt[damage.__name__]
    (file,) = reopened.folder.path.glob(f"s3/*/*/images/{image['id']}.webp")
    damage(file)
    with pytest.raises(HTTPError) as failure:
        urlopen(image["image_url"])
    assert failure.value.code == 500
    failure.value.close()
    assert f"{file} is damaged" in reopened.log.read_text()
    with urlopen(by_prompt["kept"]["image_url"]) as answer:
        assert answer.status == 200


def test_the_folder_and_all_in_it_are_private(used: Path) -> None:
    assert used.stat().st_mode & 0o777 == 0o700
    modes = {path: path.stat().st_mode & 0o077 for path in used.rglob("*") if not path.is_symlink()}
    assert not [path for path, others in modes.items() if others]


def test_a_folder_of_before_becomes_private(reopened: Service) -> None:
    data = reopened.folder.path
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "snapshot.json").stat().st_mode & 0o777 == 0o600
