"""The emulator's account, and boto3 as its client."""

import os
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader
from botocore.session import Session

from local.credentials import Credentials

__all__ = ["ACCOUNT", "REGION", "BotoCoreError", "ClientError", "client", "close", "environment", "isolate", "session"]

ACCOUNT = "000000000000"
REGION = "us-east-1"
_PLACE = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
LOOPBACK = "127.0.0.1,localhost"


def environment(credentials: Credentials) -> dict[str, str]:
    """The variables that lead an AWS SDK into the emulator's account, and away from the machine's own profiles."""
    return _PLACE | credentials.environment


def isolate() -> None:
    """Frees this process, and those it starts, of the machine's own AWS settings and of its proxy on loopback."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(_PLACE)
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    if direct != "*":
        direct = f"{direct},{LOOPBACK}" if direct else LOOPBACK
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = direct


# Descriptions of the services, some megabytes each, which every session reads from here.
_descriptions = create_loader()
_clients: dict[str, dict[tuple[Credentials, str], Any]] = {}


@lru_cache(maxsize=4)
def session(credentials: Credentials) -> Any:
    """The account's root user."""
    core = Session()
    core.register_component("data_loader", _descriptions)
    return boto3.Session(
        credentials.access_key_id, credentials.secret_access_key, region_name=REGION, botocore_session=core
    )


def client(endpoint: str, credentials: Credentials, service: str) -> Any:
    """A client of one service, made once. It never retries: the emulator answers, or it is gone."""
    clients = _clients.setdefault(endpoint, {})
    key = (credentials, service)
    if key not in clients:
        version = "s3v4" if service == "s3" else None  # S3 addresses are signed by version 2 otherwise
        config = Config(retries={"total_max_attempts": 1}, proxies={}, signature_version=version)
        clients[key] = session(credentials).client(service, endpoint_url=endpoint, config=config)
    return clients[key]


def close(endpoint: str) -> None:
    """Closes the clients of an emulator that has stopped."""
    for one in _clients.pop(endpoint, {}).values():
        one.close()
