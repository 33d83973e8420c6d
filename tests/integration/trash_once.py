"""One step of the trash, in a process that a test may kill: `throw USER ID`, `restore USER ID` or `empty SECONDS`."""

import sys
from datetime import UTC, datetime, timedelta

from imagetrail.callers import Caller
from imagetrail.emptying import Emptied, Emptying
from imagetrail.wiring import Deployment, deployment


def empty(deployment: Deployment, later: timedelta) -> Emptied:
    """The schedule's run, so much later."""
    return Emptying(
        dynamo=deployment.dynamo,
        table=deployment.settings.images_table,
        bucket=deployment.bucket,
        edge=deployment.edge,
        executor=deployment.executor,
        now=lambda: datetime.now(UTC) + later,
    ).run(timedelta(minutes=1))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["throw", user, image_id]:
            deployment().trash.throw(Caller(user), image_id)
        case ["restore", user, image_id]:
            deployment().trash.restore(Caller(user), image_id)
        case ["empty", seconds]:
            empty(deployment(), timedelta(seconds=float(seconds)))
