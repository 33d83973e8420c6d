"""The AWS emulator, as a child process: MiniStack, made durable and bound to its parent's life.

`local.launch` starts `python -m local.emulator` with the listening socket, the data folder and a pipe on
standard input. When the pipe closes, however the parent ended, this process saves and stops.
"""

import asyncio
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
from ministack.services import apigateway, athena, dynamodb, lambda_svc

from local.journal import Journal
from local.limits import allow_many_sockets
from local.logs import report
from local.snapshot import Snapshot, trim_logs

SAVE_EVERY = 1.0  # seconds
STOP_WITHIN = 10.0  # seconds


async def run(socket: int, data: Path) -> None:
    """Serves on an inherited socket until the parent ends or a signal comes."""
    journal = Journal(data / "items.jsonl")
    snapshot = Snapshot(data / "snapshot.json", journal)
    ministack.load_state, ministack.save_all = snapshot.load, snapshot.save
    journal.follow(dynamodb)
    _count_loopback_as_tls()
    _report_calls()
    _know_arrays()
    _tell_stage_variables()
    allow_many_sockets()

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    threading.Thread(target=_await_parent, args=(loop, stopping), daemon=True).start()

    asked = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.set()
            headers = [header for header in scope["headers"] if header[0] != b"connection"]
            scope = {**scope, "headers": headers}  # a function hears of none, as on AWS
        await ministack.app(scope, receive, send)

    async def stopped() -> None:
        await stopping.wait()
        await asyncio.to_thread(kill_workers, [worker for pool in _workers.values() for worker in pool])

    async def autosave() -> None:
        while await asked.wait():
            await asyncio.sleep(SAVE_EVERY)
            asked.clear()
            trim_logs()
            journal.flush()
            snapshot.save(ministack._build_persistence_save_dict())

    async with asyncio.TaskGroup() as tasks:
        saving = tasks.create_task(autosave())
        await serve(app, _config(socket), shutdown_trigger=stopped)
        saving.cancel()
    journal.flush()


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


def _count_loopback_as_tls() -> None:
    """Policies that deny plain HTTP (`aws:SecureTransport`) mean the network; this process serves loopback only."""
    pin = ministack.pin_request_origin
    ministack.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)


def _know_arrays() -> None:
    """Of a table without files the emulator takes an array for a text, which cannot be unnested."""
    athena._DUCKDB_TYPE_BY_ATHENA["array<string>"] = "VARCHAR[]"


def _report_calls() -> None:
    """Every call of a function also goes to the terminal."""
    emit = lambda_svc._emit_lambda_logs

    def emit_and_report(func: Any, request_id: str, text: str, error: bool, ms: int, **rest: Any) -> None:
        emit(func, request_id, text, error, ms, **rest)
        report(func["config"]["FunctionName"], text, ms, failed=error)

    lambda_svc._emit_lambda_logs = emit_and_report


def _tell_stage_variables() -> None:
    """A function that an API calls hears of its stage's variables."""
    execute = lambda_svc._execute_function_with_config_scope

    def execute_told(function: Any, event: Any, *rest: Any, **more: Any) -> Any:
        context = event.get("requestContext") if isinstance(event, dict) else None
        if context and "apiId" in context:
            event["stageVariables"] = apigateway._get_stage_variables(context["apiId"], context["stage"])
        return execute(function, event, *rest, **more)

    lambda_svc._execute_function_with_config_scope = execute_told


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), Path(sys.argv[2])))
