"""Brings the search index in step with the table after a restart: what the emulator's stream held is lost with it."""

import signal
import sys
from contextlib import closing
from pathlib import Path

from imagetrail.errors import Unavailable
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from local.aws import BotoCoreError
from local.folder import Folder
from local.stack import Stack


def main(folder: Folder) -> None:
    """Indexes what differs, unless the emulator ends first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # `local.service` ends this process
    try:
        if (runtime := folder.runtime) is None:
            return
        stack = Stack(runtime.endpoint, folder.credentials)
        settings = Settings.from_environment(stack.environment("IndexImages"))
        with closing(Deployment(settings)) as deployment:
            deployment.search_rebuild.mend()
    except (BotoCoreError, Unavailable):
        return


if __name__ == "__main__":
    main(Folder(Path(sys.argv[1])))
