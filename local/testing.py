"""The local run for tests: the stack alone, or the whole service, each in a folder of its own."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import template
from local.aws import close, isolate
from local.emulator.launch import emulator
from local.folder import Folder
from local.stack import Stack, deploy

READY_WITHIN = 180.0  # seconds, which only a failing start takes
STOPPED_WITHIN = 120.0  # seconds, which only a failing stop takes


@contextlib.contextmanager
def deployed(data: Path, parameters: Mapping[str, str] | None = None, root: Path = template.ROOT) -> Iterator[Stack]:
    """The template on an emulator; `parameters` are the template's, by their names there."""
    isolate()
    runtime = Folder(data).runtime
    with emulator(data, runtime.port if runtime else 0) as machine:
        yield deploy(machine, {"PublicUrl": "http://localhost:3000", **(parameters or {})}, root)


@dataclass(frozen=True)
class Service:
    """`make run`, in a process of its own."""

    url: str
    folder: Folder
    process: subprocess.Popen[str]
    log: Path

    @property
    def stack(self) -> Stack:
        """What it has deployed."""
        runtime = self.folder.runtime
        if runtime is None:
            raise LookupError("the service is not ready")
        return Stack(runtime.endpoint, self.folder.credentials)


@contextlib.contextmanager
def running(data: Path, environment: Mapping[str, str] | None = None) -> Iterator[Service]:
    """The service on a free port; `environment` is added to this process's."""
    log = data.parent / f"{data.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.run"],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=template.ROOT,
            env={**os.environ, "PORT": "0", "DATA_DIR": str(data), **(environment or {})},
        )
    try:
        yield Service(_ready(process, log), Folder(data), process, log)
    finally:
        process.terminate()
        process.wait(STOPPED_WITHIN)
        if runtime := Folder(data).runtime:
            close(runtime.endpoint)


def _ready(process: subprocess.Popen[str], log: Path) -> str:
    """Where it says that it is ready."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("imagetrail is ready at "):
                return line.rpartition(" ")[2]
        time.sleep(0.02)
    raise TimeoutError(f"the service is not ready:\n{log.read_text()}")
