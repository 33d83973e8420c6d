"""The local run as a person meets it: starting, asking, stopping, killing, starting again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import service as local_service
from local.credentials import Credentials
from local.folder import Folder
from local.logs import report
from local.problem import ProblemError
from local.template import ROOT
from local.testing import Service, running
from local.upstream import Reply

GONE_WITHIN = 8.0  # seconds


def ask(url: str, method: str = "GET", body: Any = None, token: str = "") -> tuple[int, Any]:
    """The status and the JSON of an answer, or its bytes when it is no JSON."""
    where = urlsplit(url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=30)
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    connection.request(method, where.path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if "json" in answer.headers["content-type"] else content


def command(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"local.{module}", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def processes(data: Path) -> list[str]:
    """What runs on a data folder."""
    ps = ["/bin/ps", "-axww", "-o", "pid=,command="]
    listed = subprocess.run(ps, capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(data) in line]


def eventually(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + GONE_WITHIN
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.05)
    return happened()


def token(service: Service, *arguments: str) -> str:
    done = command("token", *arguments, DATA_DIR=str(service.folder.path))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_image_is_generated_listed_and_served(service: Service) -> None:
    status, image = ask(f"{service.url}/ai/generate", "POST", {"prompt": "a red cup", "format": "webp"})
    assert status == 201
    assert image["image_url"].startswith(f"{service.url}/images/")
    assert ask(image["image_url"])[1][8:12] == b"WEBP"
    assert ask(image["thumbnail_url"])[0] == 200
    assert ask(f"{service.url}/ai/generated-images/{image['id']}")[1]["prompt"] == "a red cup"
    assert image["id"] in [listed["id"] for listed in ask(f"{service.url}/ai/generated-images")[1]["images"]]
    assert eventually(lambda: "201 POST /ai/generate" in service.log.read_text())
    assert ask(service.url + "/")[1].startswith(b"<!doctype html>")


def test_a_token_makes_a_caller_and_a_group_an_admin(service: Service) -> None:
    alice, admin = token(service, "alice"), token(service, "root", "admin")
    _, image = ask(f"{service.url}/ai/generate", "POST", {"prompt": "hers"}, alice)
    where = f"{service.url}/ai/generated-images/{image['id']}"
    assert ask(where, token=alice)[1]["user_id"] == "alice"
    assert ask(where)[0] == 404
    assert ask(where, token=admin)[0] == 200
    assert ask(where, token=alice[:-4] + "AAAA")[0] == 401


@pytest.mark.parametrize("subject", ["anonymous", "* née"])
def test_any_subject_can_have_a_token(service: Service, subject: str) -> None:
    assert ask(f"{service.url}/ai/generated-images", token=token(service, subject)) == (
        200,
        {"images": [], "count": 0, "offset": 0, "limit": 50, "next_cursor": None},
    )


def test_a_handler_can_be_invoked(service: Service, tmp_path: Path) -> None:
    data = str(service.folder.path)
    context = {"requestId": "r1", "http": {"method": "GET", "path": "/ai/datasets"}}
    event = {"version": "2.0", "rawPath": "/ai/datasets", "headers": {}, "requestContext": context}
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    done = command("invoke", "ListDatasets", str(file), DATA_DIR=data)
    answer = json.loads(done.stdout)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["datasets"]
    for words in (["Nothing", str(file)], ["", str(file)], ["ListDatasets", ""]):
        refused = command("invoke", *words, DATA_DIR=data)
        assert refused.returncode == 1
        assert "ListImages" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def test_without_a_service_the_commands_say_what_to_do(tmp_path: Path) -> None:
    data = str(tmp_path / "never")
    for done in (
        command("token", "alice", DATA_DIR=data),
        command("invoke", "GetImage", "tests/events/get_image.json", DATA_DIR=data),
    ):
        assert done.returncode == 1
        assert "make run" in done.stderr
        assert "Traceback" not in done.stderr
    assert "SUB=" in command("token", "", DATA_DIR=data).stderr


def test_data_outlives_stops_and_kills_and_the_sample_comes_once(tmp_path: Path) -> None:
    """AWS settings of the machine are ignored, and a shared secret that does not exist is reported."""
    data, nowhere = tmp_path / "data", "http://127.0.0.1:9"
    foreign = {
        "AWS_PROFILE": "nope",
        "AWS_ENDPOINT_URL": nowhere,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "HTTP_PROXY": nowhere,
        "http_proxy": nowhere,
        "HTTPS_PROXY": nowhere,
        "ALL_PROXY": nowhere,
    }
    with running(data, foreign) as service:
        _, hers = ask(f"{service.url}/ai/generate", "POST", {"prompt": "a cup"}, token(service, "alice"))
        assert ask(hers["image_url"])[0] == 200
        event = "tests/events/list_datasets.json"
        done = command("invoke", "ListDatasets", event, DATA_DIR=str(data), **foreign)
        assert json.loads(done.stdout)["statusCode"] == 200
        _, first = ask(f"{service.url}/ai/generate", "POST", {"prompt": "one"})
        service.process.send_signal(signal.SIGKILL)
        service.process.wait()
        assert eventually(lambda: not processes(data))
    named = {"AUTH_SECRET_NAME": "shared secret", "WEBHOOK_SECRET_NAME": "hooks"}
    with running(data, named) as service:
        _, second = ask(f"{service.url}/ai/generate", "POST", {"prompt": "two"})
        asked = [f"--name {name} --secret-string" for name in ("'shared secret'", "hooks")]
        assert eventually(lambda: all(words in service.log.read_text() for words in asked))
        for name in named.values():
            service.stack.client("secretsmanager").create_secret(Name=name, SecretString="hush")
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(GONE_WITHIN) == 0
        assert not processes(data)
    with running(data, named) as service:
        images = ask(f"{service.url}/ai/generated-images")[1]["images"]
        assert [image["id"] for image in images] == [second["id"], first["id"]]
        for image in images:
            assert image["image_url"].startswith(service.url)
            assert ask(image["image_url"])[0] == 200
        assert len(ask(f"{service.url}/ai/datasets")[1]["datasets"]) == 1
        assert "create-secret" not in service.log.read_text()
        service.process.terminate()
        assert service.process.wait(GONE_WITHIN) == 0
    assert not processes(data)
    assert not (data / "tmp").exists()


@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_it_can_be_stopped_while_it_starts(tmp_path: Path, seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "local.run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(tmp_path), "PORT": "0"},
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=GONE_WITHIN)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert not processes(tmp_path)


def test_parameters_come_from_the_environment_and_it_ends_when_its_emulator_does(tmp_path: Path) -> None:
    data = tmp_path / "data"
    foreign = {"AUTH_ISSUER": "https://issuer.example", "AUTH_AUDIENCE": "me", "ANONYMOUS_HISTORY": "none"}
    with running(data, foreign) as service:
        assert ask(f"{service.url}/ai/generated-images")[0] == 401
        done = command("token", "alice", DATA_DIR=str(service.folder.path))
        assert done.returncode == 1
        assert "https://issuer.example" in done.stderr
        emulator = next(line for line in processes(data) if "local.emulator" in line)
        os.kill(int(emulator.split()[0]), signal.SIGKILL)
        assert service.process.wait(GONE_WITHIN) == 1
    assert "emulator.log" in service.log.read_text()
    assert not processes(data)


def test_a_service_that_does_not_work_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_service, "exchange", lambda *_request: Reply(502, [], b""))
    stack: Any = SimpleNamespace(
        endpoint="http://127.0.0.1:1",
        credentials=Credentials("AKIA", "secret"),
        outputs={"UserPoolId": "pool"},
        resources={"Api": "api"},
    )
    with pytest.raises(ProblemError, match="answered 502"):
        local_service._welcome(Folder(tmp_path), stack)
    assert not (tmp_path / "welcomed").exists()


def test_a_sweep_that_found_nothing_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    tally: dict[str, Any] = {"succeeded": 0, "failed": 0, "cleaned": 0, "poisoned": None}
    for counts in (tally, tally | {"failed": 2}):
        report("imagetrail-SettlePending-1", json.dumps({"message": "swept", "tally": counts}), 5, failed=False)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "'failed': 2" in said[0]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MODEL": "dall-e"}, "MODEL=dall-e"),
        ({"USER_DAILY_QUOTA": "-1"}, "USER_DAILY_QUOTA=-1"),
        ({"USER_DAILY_QUOTA": "many"}, "USER_DAILY_QUOTA=many"),
        ({"AUTH_ISSUER": "https://issuer.example"}, "AUTH_AUDIENCE is required with AUTH_ISSUER"),
        ({"AUTH_ISSUER": "http://issuer.example", "AUTH_AUDIENCE": "me"}, "use https"),
        ({"PORT": "http"}, "PORT=http"),
        ({"PORT": "70000"}, "PORT=70000"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    for name, value in ({"PORT": "0"} | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProblemError, match=said):
        local_service.run(Folder(tmp_path / "data"))
    assert not (tmp_path / "data" / "keys").exists()


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    done = command("run", DATA_DIR=str(tmp_path / "data"), PORT="0", MODEL="dall-e")
    assert done.returncode == 1
    assert done.stderr.startswith("imagetrail: MODEL=dall-e")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("run", DATA_DIR=str(tmp_path), PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"imagetrail: port {port} is taken; stop what uses it or run: PORT={port % 65535 + 1} make run\n"
    )


def test_a_data_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command("run", DATA_DIR=str(tmp_path / "file"), PORT="0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_second_one_on_the_same_data(service: Service) -> None:
    done = command("run", DATA_DIR=str(service.folder.path), PORT="0")
    assert done.returncode == 1
    assert str(service.folder.path) in done.stderr
    assert len(done.stderr.splitlines()) == 1
