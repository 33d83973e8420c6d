"""Starting and stopping the emulator from the outside."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO

from local.aws import BotoCoreError, close, environment
from local.credentials import Credentials, read_or_create
from local.folder import make_private
from local.problem import ProblemError

STOP_WITHIN = 15.0  # seconds
ENDS_WITHIN = 5.0  # seconds
PROBLEM = 3  # exit code of an emulator whose last line says what the developer can do
IDLE_FOR = 30  # seconds, after which all but one process of a function end


@dataclass(frozen=True)
class Emulator:
    """The emulator's process."""

    endpoint: str
    credentials: Credentials
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def runs(self) -> bool:
        """Whether it still does."""
        return self.process.poll() is None

    def ended(self) -> ProblemError:
        """What to say when it stopped by itself."""
        last = (self.log.read_text().splitlines() or ["it was killed"])[-1].strip()
        if self.process.wait() == PROBLEM:
            return ProblemError(last)
        return ProblemError(f"the emulator stopped by itself: {last} (see {self.log})")


@contextlib.contextmanager
def emulator(data: Path, port: int) -> Iterator[Emulator]:
    """Runs the emulator over a data folder, on `port` if that is free; its functions log to standard output."""
    make_private(data)
    with (data / "emulator.lock").open("w") as lock:
        _wait_for(lock)
        with _started(data, port, lock) as machine:
            yield machine


@contextlib.contextmanager
def _started(data: Path, port: int, lock: IO[str]) -> Iterator[Emulator]:
    listener = _listen(port)
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    credentials = read_or_create(data)
    temporary = data / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(exist_ok=True)
    with listener, (data / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator", str(listener.fileno()), str(data)],
            stdin=subprocess.PIPE,
            stderr=log,
            env=_environment(data, listener.getsockname()[1], credentials),
            pass_fds=[listener.fileno(), lock.fileno()],
            start_new_session=True,
        )
    machine = Emulator(endpoint, credentials, data / "emulator.log", process)
    try:
        yield machine
    except (BotoCoreError, HTTPException, OSError) as error:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_WITHIN)  # its sockets close a little earlier
        if machine.runs:
            raise
        raise machine.ended() from error
    finally:
        close(endpoint)
        _stop(process)
        shutil.rmtree(temporary, ignore_errors=True)


def _wait_for(lock: IO[str]) -> None:
    """An emulator holds its data's lock as long as it lives: one whose parent was killed still has to save."""
    deadline = time.monotonic() + STOP_WITHIN
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ProblemError("another emulator still works on this data; try again in a moment") from None
            time.sleep(0.05)
        else:
            return


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        process.communicate(timeout=STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _environment(data: Path, port: int, credentials: Credentials) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "LAMBDA_", "MINISTACK_", "LOCALSTACK_"))
    }
    return (
        kept
        | environment(credentials)
        | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "DOCKER_HOST": "unix:///nowhere",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "LAMBDA_WARM_TTL_SECONDS": str(IDLE_FOR),
            "LOG_LEVEL": "WARNING",
            "MINISTACK_HOST": "localhost",
            "PERSIST_STATE": "1",
            "S3_DATA_DIR": str(data / "s3"),
            "S3_PERSIST": "0",  # which the emulator's own loader does not run for; `local.emulator` turns it on
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(data / "keys"),
            "TMPDIR": str(data / "tmp"),
        }
    )
