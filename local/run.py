"""`make run`: the whole service on this machine, until Ctrl-C."""

import os
import signal
import sys
from typing import Any

from local.problem import ProblemError


def main() -> int:
    """The exit code: 0 when it was asked to stop, 1 when it could not go on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    os.umask(0o077)
    try:
        from local.aws import isolate
        from local.folder import Folder
        from local.service import run

        isolate()
        run(Folder.from_environment())
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    return 0


def _interrupt(_number: int, _frame: Any) -> None:
    """Stops, once: what follows is cleaning up, and is not interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
