"""Credentials of a data folder's emulator, kept in AWS's shared credentials format so that the AWS CLI reads them."""

import configparser
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from local.problem import ProblemError

FILE = "credentials"
_PROFILE = "default"
_KEY_ID = "aws_access_key_id"
_SECRET = "aws_secret_access_key"  # noqa: S105


@dataclass(frozen=True)
class Credentials:
    """The root access key that the emulator accepts, and no other."""

    access_key_id: str
    secret_access_key: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables from which AWS SDKs read credentials."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}

    @property
    def gateway_token(self) -> str:
        """The token by which the emulator recognizes the front door; derived, so that it is stored nowhere."""
        return self.derived("gateway")

    def derived(self, purpose: str) -> str:
        """A secret for one purpose, from which neither the key nor another secret can be computed."""
        return hmac.new(self.secret_access_key.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def read_or_create(folder: Path) -> Credentials:
    """The folder's credentials, random and created at its first start. Raises ProblemError."""
    path = folder / FILE
    if not path.exists():
        _create(path)
    return read(folder)


def read(folder: Path) -> Credentials:
    """The folder's credentials. Raises ProblemError when the file is missing or damaged."""
    path = folder / FILE
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text())
        found = Credentials(parser[_PROFILE][_KEY_ID], parser[_PROFILE][_SECRET])
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError):
        found = Credentials("", "")
    if not (found.access_key_id and found.secret_access_key):
        raise ProblemError(
            f"{path} cannot be read; delete it and start again: new credentials are created and no data is lost"
        )
    return found


def _create(path: Path) -> None:
    key_id = "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
    fresh = path.with_name(f"{FILE}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"[{_PROFILE}]\n{_KEY_ID} = {key_id}\n{_SECRET} = {secrets.token_urlsafe(30)}\n")
    fresh.replace(path)
