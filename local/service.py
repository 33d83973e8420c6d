"""The whole service on this machine: emulator, deployment, front door."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson
from hypercorn.asyncio import serve
from hypercorn.config import Config

from local import identity, site, template
from local.aws import REGION
from local.cors import Cors
from local.emulator.headers import TOKEN
from local.emulator.launch import Emulator, emulator
from local.folder import Folder, Runtime
from local.front import FrontDoor
from local.limits import allow_many_sockets
from local.malformed import explain_malformed_requests
from local.parameters import from_environment, parameters
from local.problem import ProblemError, explained_full_disk
from local.stack import Stack, deploy
from local.upstream import exchange

SAMPLE = {
    "name": "Coffee Co",
    "brand": "Coffee Co",
    "vibe": "cozy",
    "unique_visual_elements": ["wooden tables", "pendant lights", "brick walls"],
}


def run(folder: Folder) -> None:
    """Until it is asked to stop. Raises ProblemError."""
    allow_many_sockets()
    explain_malformed_requests()
    described = template.source()
    given = from_environment(described, os.environ)
    with folder.held(), _listening(_port()) as listener:
        url = f"http://localhost:{listener.getsockname()[1]}"
        given = {"PublicUrl": url} | given
        identity.check(parameters(described, given))
        before = folder.runtime
        with explained_full_disk(folder.path), emulator(folder.path, before.port if before else 0) as machine:
            stack = deploy(machine, given)
            _welcome(folder, stack)
            runtime = _runtime(stack, url)
            folder.remember(runtime)
            _announce(runtime, folder)
            _fold_again(stack)
            for words in identity.warnings(stack, folder):
                print(f"imagetrail: {words}", file=sys.stderr, flush=True)
            with _catching_up(folder):
                asyncio.run(_serve(stack, listener, machine))


def _port() -> int:
    text = os.environ.get("PORT") or "3000"
    if not text.isdecimal() or int(text) > 65535:
        raise ProblemError(f"PORT={text} is not a port; it must be a number up to 65535")
    return int(text)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
    except PermissionError:
        raise ProblemError(f"port {port} needs more rights than yours; run: PORT=3001 make run") from None
    except OSError:
        raise ProblemError(
            f"port {port} is taken; stop what uses it or run: PORT={port % 65535 + 1} make run"
        ) from None
    with listener:
        yield listener


def _runtime(stack: Stack, url: str) -> Runtime:
    pool = stack.outputs["UserPoolId"]
    return Runtime(
        endpoint=stack.endpoint,
        url=url,
        issuer=stack.environment("ListImages")["AUTH_ISSUER"],
        own_issuer=f"https://cognito-idp.{REGION}.amazonaws.com/{pool}",
        user_pool=pool,
        client=stack.outputs["ClientId"],
    )


def _welcome(folder: Folder, stack: Stack) -> None:
    """Creates the sample dataset, once in the life of a data folder, and the keys that tokens are signed with."""
    port = urlsplit(stack.endpoint).port or 0
    exchange(port, "GET", f"/{stack.outputs['UserPoolId']}/.well-known/jwks.json", [("host", "localhost")], b"", 10)
    welcomed = folder.path / "welcomed"
    if welcomed.exists():
        return
    body = orjson.dumps(SAMPLE)
    headers = [
        ("host", f"{stack.resources['Api']}.execute-api.localhost"),
        (TOKEN, stack.credentials.gateway_token),
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
    ]
    reply = exchange(port, "POST", "/ai/datasets", headers, body, 30)
    if reply.status == 201:
        welcomed.touch()
    elif reply.status >= 500:
        raise ProblemError(f"the API does not work: it answered {reply.status} to the sample dataset (see above)")
    else:
        print(f"the sample dataset was refused with status {reply.status}", file=sys.stderr)


@contextlib.contextmanager
def _catching_up(folder: Folder) -> Iterator[None]:
    """Brings the search index in step beside what the block does. What it leaves undone, the next start does."""
    process = subprocess.Popen([sys.executable, "-m", "local.catch_up", str(folder.path)], cwd=template.ROOT)
    try:
        yield
    finally:
        process.kill()  # it writes each shard of the index at once, so that nothing is left half done
        process.wait()


def _fold_again(stack: Stack) -> None:
    """Has every day folded: the emulator's streams forget at a stop what they had not yet told."""
    event = orjson.dumps({"from": "0001-01-01"})
    stack.client("lambda").invoke(FunctionName=stack.resources["FoldDays"], InvocationType="Event", Payload=event)


def _announce(runtime: Runtime, folder: Folder) -> None:
    print(f"imagetrail is ready at {runtime.url}")
    print(f"  images  {runtime.url}/ai/generated-images")
    print(f"  API     {runtime.url}/ai/openapi.json")
    print("  token   make token SUB=alice")
    print(f"  data    {folder.path}", flush=True)


async def _serve(stack: Stack, listener: socket.socket, machine: Emulator) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    async def watch() -> None:
        while machine.runs and not stopping.is_set():
            await asyncio.sleep(0.2)
        stopping.set()

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.include_server_header = False
    config.loglevel = "WARNING"
    config.graceful_timeout = 2
    watching = asyncio.create_task(watch())
    await serve(FrontDoor(stack, site.FOLDER, Cors.of(stack), stopping), config, shutdown_trigger=stopping.wait)
    await watching
    if not machine.runs:
        raise machine.ended()
