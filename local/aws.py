"""The emulator's account, and boto3 as its client."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

__all__ = ["ACCOUNT", "CREDENTIALS", "REGION", "BotoCoreError", "ClientError", "client", "session"]

ACCOUNT = "000000000000"
REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


@cache
def session() -> Any:
    """The account's root user: no profile and no variable of this machine has a say."""
    return boto3.Session(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION)


@cache
def client(endpoint: str, service: str) -> Any:
    """A client of one service, made once. It never retries: the emulator answers, or it is gone."""
    return session().client(service, endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))
