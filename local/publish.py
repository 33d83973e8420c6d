"""`make pages STACK=imagetrail-dev`: puts the built pages where a deployed stack's front door looks for them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local import site
from local.problem import ProblemError


def publish(session: Any, stack: str, folder: Path = site.FOLDER) -> str:
    """The URL where they are now. `session` makes clients as boto3 does. Raises ProblemError.

    What the pages name comes before the pages, so that no visitor gets one without the other. What older pages
    name stays, for those who have one open.
    """
    try:
        described = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        s3 = session.client("s3")
        for name, body in _files(folder, outputs):
            kind, kept = (value for _, value in site.headers(name))
            s3.put_object(Bucket=outputs["PagesBucket"], Key=name, Body=body, ContentType=kind, CacheControl=kept)
    except (BotoCoreError, ClientError) as error:
        raise ProblemError(f"the pages are not published: {error}") from None
    except KeyError as error:
        raise ProblemError(f"the stack {stack} has no output {error}; deploy the template first") from None
    return str(outputs["Url"])


def _files(folder: Path, outputs: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    yield site.CONFIG, json.dumps(site.config(outputs)).encode()
    for file in sorted(folder.rglob("*"), key=lambda file: (file.suffix == ".html", file)):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_bytes()


def main(arguments: list[str]) -> int:
    """Takes the name of the stack."""
    if len(arguments) != 1 or not arguments[0]:
        print("imagetrail: which stack? run: make pages STACK=imagetrail-dev", file=sys.stderr)
        return 1
    try:
        print(publish(boto3.Session(), arguments[0]))
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
