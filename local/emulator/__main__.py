"""The AWS emulator, as a child process: MiniStack, made durable and bound to its parent's life.

`local.emulator.launch` starts `python -m local.emulator` with the listening socket, the data folder and a pipe on
standard input. When the pipe closes, however the parent ended, this process saves and stops.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core.lambda_runtime import _workers, kill_workers
from ministack.services import dynamodb, s3

from local import credentials
from local.aws import ACCOUNT
from local.emulator import objects, patches, snapshot
from local.emulator.context import Context
from local.emulator.disk import Disk
from local.emulator.guard import Guard
from local.emulator.launch import PROBLEM
from local.limits import allow_many_sockets
from local.problem import ProblemError, explained_full_disk

FIRST_SAVE_WITHIN = 0.05  # seconds
SAVE_EVERY = 1.0  # seconds
STOP_WITHIN = 10.0  # seconds


async def run(socket: int, data: Path) -> None:
    """Serves on an inherited socket until the parent ends or a signal comes. Raises ProblemError."""
    gc.disable()  # while the history is read: it is all kept, and collections would take seconds
    context = Context(credentials.read(data), Disk(data))
    saved, journal = snapshot.opened(data, context.disk)
    store = snapshot.Snapshot(data, journal, context.disk, saved)
    ministack.load_state, ministack.save_all = store.load, store.save
    journal.follow(dynamodb)
    patches.apply(context)
    objects.report(objects.load(data / "s3"))
    s3.S3_PERSIST = True
    allow_many_sockets()

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    threading.Thread(target=_await_parent, args=(loop, stopping), daemon=True).start()

    requested = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            requested.set()
        await ministack.app(scope, receive, send)

    async def stopped() -> None:
        await stopping.wait()
        await asyncio.to_thread(kill_workers, [worker for pool in _workers.values() for worker in pool])

    async def autosave() -> None:
        await started.wait()
        gc.freeze()
        gc.enable()
        while True:
            await asyncio.sleep(SAVE_EVERY if store.exists else FIRST_SAVE_WITHIN)
            context.disk.recover()
            if requested.is_set():
                requested.clear()
                snapshot.trim_logs()
                journal.flush()
                store.save(ministack._build_persistence_save_dict())

    started = asyncio.Event()

    async def announced(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                started.set()

        await app(scope, receive, sent if scope["type"] == "lifespan" else send)

    async with asyncio.TaskGroup() as tasks:
        saving = tasks.create_task(autosave())
        guarded: Any = Guard(announced, context, ACCOUNT)
        await serve(guarded, _config(socket), shutdown_trigger=stopped)
        saving.cancel()
    journal.flush()
    if context.disk.is_full:
        context.disk.release()
        context.disk.retry()


def _config(socket: int) -> Config:
    config = Config()
    config.bind = [f"fd://{socket}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.2
    return config


def _await_parent(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(stopping.set)
    threading.Event().wait(STOP_WITHIN)
    os._exit(1)


def main() -> int:
    """The exit code; a problem that the developer can solve is one line on standard error."""
    os.umask(0o077)
    data = Path(sys.argv[2])
    try:
        with explained_full_disk(data):
            asyncio.run(run(int(sys.argv[1]), data))
    except ProblemError as error:
        print(error, file=sys.stderr)
        return PROBLEM
    return 0


if __name__ == "__main__":
    sys.exit(main())
