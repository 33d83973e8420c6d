"""The data folder: who holds it, and what `make token` and `make invoke` need to know of the service in it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from local import credentials
from local.credentials import Credentials
from local.problem import ProblemError


@dataclass(frozen=True)
class Runtime:
    """The service that runs, or last ran, on a folder."""

    endpoint: str
    url: str
    issuer: str
    own_issuer: str
    user_pool: str
    client: str

    @property
    def port(self) -> int:
        """The emulator's, kept from start to start: functions know it, and a new one means a redeployment."""
        return int(self.endpoint.rpartition(":")[2])


_USED = {"snapshot.json", "runtime.json"}
_OWN = _USED | {
    "emulator.lock",
    "emulator.log",
    "items.jsonl",
    "keys",
    "lock",
    "s3",
    "welcomed",
}  # in folders of before


def make_private(path: Path) -> None:
    """Creates a data folder that only its owner can read; corrects one of before, with all in it.

    Raises OSError, and ProblemError for a folder that holds something else.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.stat().st_mode & 0o077:
        return
    names = {entry.name for entry in path.iterdir()}
    if names - {"lost+found"} and not names & _USED:
        raise ProblemError(f"the folder {path} holds other files; set DATA_DIR to a folder of its own")
    for own in names & _OWN:
        for name, folders, files in os.walk(path / own):
            _make_private(Path(name, entry) for entry in (*folders, *files))
        _make_private([path / own])
    path.chmod(0o700)


def _make_private(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)


@dataclass(frozen=True)
class Folder:
    """A data folder."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Folder":
        return cls(Path(os.environ.get("DATA_DIR") or ".imagetrail").resolve())

    @property
    def runtime(self) -> Runtime | None:
        """Of the last start; None before the first. Raises ProblemError."""
        file = self.path / "runtime.json"
        try:
            runtime = Runtime(**json.loads(file.read_text()))
            if 0 < runtime.port < 65536:
                return runtime
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError):
            pass
        raise ProblemError(f"{file} is damaged; delete it and start again: it is created again and no data is lost")

    def remember(self, runtime: Runtime) -> None:
        fresh = self.path / "runtime.new"
        fresh.write_text(json.dumps(asdict(runtime), indent=2))
        fresh.replace(self.path / "runtime.json")

    @property
    def credentials(self) -> Credentials:
        """Of the emulator. Raises ProblemError."""
        return credentials.read(self.path)

    def access_key(self, user_pool: str) -> bytes:
        """The private key, in PEM, that the user pool signs access tokens with."""
        return (self.path / "keys" / "cognito-pool-keys" / f"{user_pool}-access.pem").read_bytes()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Only one service at a time; a lock ends with its process, however that ends. Raises ProblemError."""
        try:
            make_private(self.path)
            file = (self.path / "lock").open("w")
        except OSError as error:
            raise ProblemError(f"the data folder {self.path} cannot be used: {error.strerror}") from None
        with file as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ProblemError(
                    f"another imagetrail runs on the data in {self.path}; stop it or run: DATA_DIR=elsewhere make run"
                ) from None
            yield

    @property
    def is_held(self) -> bool:
        """Whether a service runs on it."""
        try:
            with self.held():
                return False
        except ProblemError:
            return True
