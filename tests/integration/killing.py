"""A process that is killed in the middle of what it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from typing import TYPE_CHECKING

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.fault_proxy import Fault, Proxy


def killed_at(fault: Fault, proxy: Proxy, environment: Mapping[str, str], module: str, *arguments: str) -> bool:
    """Runs a module of the tests until it meets the fault, and kills it there. Whether it met it."""
    started: Future[subprocess.Popen[bytes]] = Future()
    fault.then = lambda: started.result(PATIENCE).kill()
    proxy.inject(fault)
    command = [sys.executable, "-m", f"tests.integration.{module}", *arguments]
    with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL) as process:
        started.set_result(process)
        try:
            return process.wait(PATIENCE) == -signal.SIGKILL
        finally:
            process.kill()
            proxy.fault = None
