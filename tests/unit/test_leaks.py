"""A test, or a fixture, that leaves something open is named, with what it left."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAKY = """
import socket, subprocess, sys, threading
import pytest
from tests import leaks

leaks.PATIENCE = 0.05
held, gate = [], threading.Event()


@pytest.fixture(scope="module")
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(scope="module")
def careless():
    held.append(socket.create_server(("127.0.0.1", 0)))


@pytest.fixture
def client(server):
    with socket.create_connection(server.getsockname()) as connection:
        yield connection


def test_uses_what_a_module_opened(server, client):
    assert server.getsockname() == client.getpeername()


def test_finds_it_itself(request):
    request.getfixturevalue("server")
    request.getfixturevalue("careless")


def test_leaves_a_socket(server):
    held.append(socket.create_connection(server.getsockname()))


def test_leaves_a_thread():
    threading.Thread(target=gate.wait, name="left behind", daemon=True).start()


def test_leaves_a_process():
    held.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))


def test_leaves_a_socket_to_the_collector():
    circle = [socket.socket()]
    circle.append(circle)


def test_is_clean():
    with subprocess.Popen([sys.executable, "-c", ""]):
        threading.Thread(target=gate.wait, args=(0.01,)).start()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of a file of tests that leave something behind."""
    folder = tmp_path_factory.mktemp("leaky")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (folder / "test_leaky.py").write_text(LEAKY)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:randomly",
        "-p",
        "tests.leaks",
        "-c",
        f"{folder}/pytest.ini",
        str(folder),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(
    ("test", "left"),
    [
        ("test_leaves_a_socket", r"socket \('127.0.0.1', \d+\) \('127.0.0.1', \d+\)"),
        ("test_leaves_a_thread", "thread left behind"),
        ("test_leaves_a_process", r"process \d+ .*input\(\)"),
    ],
)
def test_it_is_named_with_what_it_left(told: str, test: str, left: str) -> None:
    assert re.search(rf"ERROR at teardown of {test} _+\nleft open: .*{left}", told), told


def test_a_fixture_of_wider_scope_answers_for_itself(told: str) -> None:
    assert re.search(r"the fixture careless left open: socket \('127.0.0.1', \d+\) listening", told), told


def test_a_warning_of_the_collector_comes_with_its_test_and_others_are_not_blamed(told: str) -> None:
    assert re.findall(r"^ERROR \S+::(\w+)", told, re.MULTILINE) == [
        "test_leaves_a_socket",
        "test_leaves_a_thread",
        "test_leaves_a_process",
        "test_leaves_a_socket_to_the_collector",
        "test_is_clean",  # the last test, at whose end the module's fixtures are finalized
    ]
