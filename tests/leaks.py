"""Names the test, or the fixture, that leaves a file descriptor, a thread or a child process behind.

What a fixture of a wider scope than a function opens belongs to that fixture, and must be gone when it is finalized;
so do the connections that its value, which can be closed, opens when tests use it.
Connections that boto3 pools belong to the process: `local.aws.client` makes each client once.
"""

from __future__ import annotations

import gc
import os
import socket
import stat
import sys
import threading
import time
from concurrent.futures.thread import _threads_queues
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

Key = tuple[object, ...]


class Connection(NamedTuple):
    """Where in this project it was opened, and by which client that keeps connections."""

    place: str
    pool: str


PATIENCE = 10.0  # seconds for what was told to end
_FDS = Path("/dev/fd")
_POOLED = "botocore/httpsession.py"
_OUR_CLIENT = "imagetrail/aws.py"
_ROOT = f"{Path(__file__).parents[1]}/"

_connected: dict[tuple[int, int], Connection] = {}  # by descriptor and inode
_owned: dict[object, set[Key]] = {}  # what the living fixtures of wider scope opened
_closeable: set[object] = set()  # those of them whose values can be closed: these connect when they are used


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    frame: FrameType | None = sys._getframe(1)
    place, pool = "", ""
    while frame is not None:
        file = frame.f_code.co_filename
        pool = pool or next((pool for pool in (_POOLED, _OUR_CLIENT) if file.endswith(pool)), "")
        if not place and file.startswith(_ROOT) and "/.venv/" not in file:
            place = f"{file.removeprefix(_ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    descriptor = arguments[0].fileno()
    _connected[descriptor, os.fstat(descriptor).st_ino] = Connection(place, pool)


def opened() -> set[Key]:
    """What is open now."""
    found: set[Key] = {("thread", thread.ident) for thread in threading.enumerate() if not _is_foreign(thread)}
    for name in os.listdir(_FDS):  # noqa: PTH208
        try:
            held = os.fstat(int(name))
        except OSError:  # the descriptor that this listing took
            continue
        if not stat.S_IFMT(held.st_mode):  # an event object of the kernel, such as those that gRPC keeps while it idles
            continue
        if not (stat.S_ISSOCK(held.st_mode) and _is_pooled(_connected.get((int(name), held.st_ino)))):
            found.add(("descriptor", int(name), held.st_ino))
    return found | {("process", pid) for pid in _children()}


def left(before: set[Key]) -> list[str]:
    """What was opened since and does not end by itself, described."""
    if not (more := _since(before)):
        return []
    gc.collect()  # blames this test for what it forgot to close
    deadline = time.monotonic() + PATIENCE
    while (more := _since(before)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return sorted(map(_described, more))


def _since(before: set[Key]) -> set[Key]:
    return opened() - before - set().union(*_owned.values())


def _is_pooled(connection: Connection | None) -> bool:
    return connection is not None and bool(connection.pool == _POOLED or (connection.pool and _closeable))


def _is_foreign(thread: threading.Thread) -> bool:
    """Whether a library started it without Python, or the pool of a fixture's value did."""
    return isinstance(thread, threading._DummyThread) or bool(_closeable and thread in _threads_queues)


def _children() -> Iterator[int]:
    """Where the system does not say, none."""
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            yield from map(int, task.read_text().split())
        except OSError:  # that thread ended
            continue


def _described(key: Key) -> str:
    kind, identity = key[:2]
    if kind == "thread":
        return f"thread {next((one.name for one in threading.enumerate() if one.ident == identity), identity)}"
    if kind == "process":
        command = b""
        with suppress(OSError):
            command = Path(f"/proc/{identity}/cmdline").read_bytes()
        return f"process {identity} {command.replace(bytes(1), b' ').decode()[:200] or '(not waited for)'}"
    descriptor, inode = int(str(identity)), int(str(key[2]))
    try:
        with socket.socket(fileno=os.dup(descriptor)) as one:
            described = f"socket {one.getsockname()} {'listening' if _listens(one) else one.getpeername()}"
    except OSError:
        link = Path(f"/proc/self/fd/{descriptor}")
        described = f"descriptor {descriptor} {link.readlink() if link.is_symlink() else ''}"
    connection = _connected.get((descriptor, inode))
    return f"{described}, opened at {connection.place}" if connection and connection.place else described


def _listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Fails a test that leaves something open, after its other fixtures are finalized."""
    before = opened()
    yield
    if found := left(before):
        pytest.fail("left open: " + "; ".join(found), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[Any]:
    """Notes what a fixture of wider scope opens."""
    if fixturedef.scope == "function":
        return (yield)
    before = opened()
    try:
        value = yield
        if hasattr(value, "close"):
            _closeable.add(fixturedef)
        return value
    finally:
        _owned[fixturedef] = _since(before)


@pytest.hookimpl(trylast=True)
def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any]) -> None:
    """Fails when that is still there."""
    _closeable.discard(fixturedef)
    if opens := _owned.pop(fixturedef, None):
        found = left(opened() - opens)
        if found:
            pytest.fail(f"the fixture {fixturedef.argname} left open: " + "; ".join(found), pytrace=False)


def pytest_collection_finish() -> None:
    """What is there before the first test is never collected, which makes every later collection quick."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Lets the interpreter collect everything as it ends; some extensions report what is not."""
    gc.unfreeze()


sys.addaudithook(_audit)
