"""`make invoke FUNCTION=GetImage EVENT=event.json`: runs one handler in this process, against the running service."""

import contextlib
import importlib
import json
import os
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import template
from local.aws import isolate
from local.folder import Folder
from local.problem import ProblemError
from local.stack import Stack

USAGE = "run: make invoke FUNCTION=GetImage EVENT=tests/events/get_image.json"


@dataclass
class Context:
    """What Lambda tells a function of its invocation."""

    function_name: str
    memory_limit_in_mb: int
    timeout: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    _started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._started + self.timeout - time.monotonic()) * 1000))


def invoke(folder: Folder, function: str, event: Any) -> Any:
    """What the handler answers. Raises ProblemError."""
    if function not in _functions():
        raise ProblemError(f"there is no function {function!r}; these are: {', '.join(_functions())}")
    runtime = folder.runtime
    if runtime is None or not folder.is_held:
        raise ProblemError("the service is not running; start it in another terminal: make run")
    stack = Stack(runtime.endpoint, folder.credentials)
    held = stack.client("lambda").get_function_configuration(FunctionName=stack.resources[function])
    os.environ.update(stack.environment(function))
    module, name = held["Handler"].rsplit(".", 1)
    handler = getattr(importlib.import_module(f"functions.{module}"), name)
    return handler(event, Context(held["FunctionName"], held["MemorySize"], held["Timeout"]))


def main(arguments: list[str]) -> int:
    """Takes the function's logical id and a file with the event."""
    function, file = [*arguments, "", ""][:2]
    isolate()
    try:
        if not function or not file:
            raise ProblemError(f"{USAGE}; the functions are: {', '.join(_functions())}")
        with contextlib.redirect_stdout(sys.stderr):  # what the handler logs
            answer = invoke(Folder.from_environment(), function, _event(file))
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def _functions() -> list[str]:
    resources = template.source()["Resources"]
    return sorted(name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function")


def _event(file: str) -> Any:
    try:
        return json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise ProblemError(f"the event cannot be read: {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
