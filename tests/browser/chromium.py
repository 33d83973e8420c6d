"""Chromium without a window: the one that CHROMIUM names, else the one of web/browser.lock, else the system's.

`python -m tests.browser.chromium` fetches and unpacks the second, which brings its own libraries and fonts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local import packages
from local.problem import ProblemError
from local.template import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

LOCK = ROOT / "web" / "browser.lock"
FOLDER = ROOT / "build" / "chromium"
_SYSTEM = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The Node that Playwright brings needs libatomic, which a bare machine lacks.
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(packages.NODE))
_FONTS = '<fontconfig><dir prefix="relative">fonts</dir></fontconfig>\n'
_DECOMPRESS = """
const {createReadStream, createWriteStream} = require("fs");
const {createBrotliDecompress} = require("zlib");
const [source, target] = process.argv.slice(1);
require("stream").pipeline(
  createReadStream(source), createBrotliDecompress(), createWriteStream(target), (error) => { if (error) throw error; },
);
"""


def launched(playwright: Playwright) -> Browser:
    """A browser. Raises ProblemError, which says what to do, where there is none."""
    named = os.environ.get("CHROMIUM")
    if not named and (folder := installed()):
        own = {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_PATH": str(folder)}
        return playwright.chromium.launch(executable_path=folder / "chromium", args=_FLAGS, env={**os.environ, **own})
    found = next(filter(None, map(shutil.which, [named] if named else _SYSTEM)), None)
    if found is None:
        raise ProblemError(
            f"CHROMIUM names {named}, which is no program"
            if named
            else "there is no Chromium for this machine: apt-get install chromium, or name one in CHROMIUM"
        )
    return playwright.chromium.launch(executable_path=found, args=_FLAGS)


def installed() -> Path | None:
    """The folder of the Chromium of the lock, fetched at most once; None where it has none for this machine.

    Raises ProblemError.
    """
    pin = next(packages.pins(LOCK), None)
    if pin is None:
        return None
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        mark = FOLDER / ".digest"
        if not mark.exists() or mark.read_text() != pin.digest:
            shutil.rmtree(FOLDER, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=FOLDER.parent) as scratch:
                packages.install(LOCK, Path(scratch))
                _unpack(Path(scratch) / pin.name / "bin", Path(scratch) / "chromium")
                (Path(scratch) / "chromium" / ".digest").write_text(pin.digest)
                (Path(scratch) / "chromium").rename(FOLDER)
    return FOLDER


def _unpack(archives: Path, folder: Path) -> None:
    folder.mkdir()
    _decompress(archives / "chromium.br", folder / "chromium")
    (folder / "chromium").chmod(0o755)
    for name in ("al2023", "fonts"):
        _decompress(archives / f"{name}.tar.br", archives / f"{name}.tar")
        with tarfile.open(archives / f"{name}.tar") as tar:
            packages.extract(tar, folder)
    (folder / "fonts.conf").write_text(_FONTS)


def _decompress(source: Path, target: Path) -> None:
    subprocess.run([packages.NODE, "-e", _DECOMPRESS, source, target], check=True)


def main() -> int:
    """Sees to it that there is one."""
    try:
        if not os.environ.get("CHROMIUM"):
            installed()
    except ProblemError as error:
        print(f"imagetrail: {error}\nimagetrail: or name an installed Chromium in CHROMIUM", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
