"""Attacks of a foreign web page on every port that the local run opens: nothing is read, created or changed."""

from __future__ import annotations

import json
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.testing import Service, running
from tests.browser.api import Api
from tests.loopback import listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Request, Response

# Returns what the page could read of each response, `null` for nothing. All forms are submitted into one frame, each
# after the frame has loaded the response to the one before.
_SEND = """async jobs => {
    const frame = document.createElement("iframe");
    frame.name = "sink";
    document.body.append(frame);
    const submit = ({ url, enctype, fields }) => new Promise(done => {
        const form = document.body.appendChild(document.createElement("form"));
        Object.assign(form, { action: url, method: "post", enctype, target: frame.name });
        for (const [name, value] of fields) {
            const field = form.appendChild(document.createElement("textarea"));
            field.name = name;
            field.value = value;
        }
        frame.onload = () => done(null);
        form.submit();
    });
    let submitted = Promise.resolve();
    const send = {
        async fetch({ url, options }) {
            try {
                const answer = await fetch(url, options);
                return answer.type === "opaque" ? null : await answer.text();
            } catch { return null; }
        },
        form: job => submitted = submitted.then(() => submit(job)),
        socket: ({ url }) => new Promise(done => {
            const socket = new WebSocket(url);
            socket.onopen = () => done("open");
            socket.onerror = () => done(null);
        }),
    };
    return Promise.all(jobs.map(job => send[job.kind](job)));
}"""
Job = dict[str, Any]

_KNOWN = [Credentials("test", "test"), Credentials("000000000000", "test"), Credentials("", "")]
_INTERNAL = ["_ministack/health", "_localstack/health", "health", "_ministack/ready", "_ministack/sqs/messages"]
_PAGES = ["", "config.json", "ai/openapi.json", "ai/generated-images", "ai/datasets", "ai/analytics/volume"]
_PLAIN: list[dict[str, Any]] = [{}, {"mode": "no-cors"}]
_READING: list[dict[str, Any]] = [*_PLAIN, {"credentials": "include"}, {"method": "OPTIONS"}]
_MULTIPART = "multipart/form-data"
_FUNCTION = json.dumps({"FunctionName": "evil", "Runtime": "python3.13", "Role": "arn:aws:iam::000000000000:role/x"})


def _fetched(options: dict[str, Any]) -> Callable[[str], Job]:
    return lambda body: {"kind": "fetch", "options": {"method": "POST", "body": body, **options}}


_WRITING: list[Callable[[str], Job]] = [
    *map(_fetched, (*_PLAIN, {"headers": {"content-type": "application/json"}})),
    lambda body: {
        "kind": "form",
        "enctype": "text/plain",
        "fields": [[body[:-1] + ', "negative_prompt": "', '"}']],
    },
    lambda body: {"kind": "form", "enctype": "application/x-www-form-urlencoded", "fields": [["prompt", body]]},
    lambda body: {"kind": "form", "enctype": _MULTIPART, "fields": [["key", "images/evil.png"], ["file", body]]},
]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own, with something worth stealing."""
    with running(tmp_path_factory.mktemp("target")) as service:
        Api(service).generate("an anonymous secret")
        Api(service, "alice").generate("a secret of Alice")
        yield service


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """The origin of a page that somebody else serves."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            body = b"<!doctype html><title>Elsewhere</title>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as url:
        yield url


def ports(service: Service) -> list[int]:
    """Every TCP port on which the service's process or one of its descendants listens."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {service.process.pid}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    inodes = set()
    for pid in family:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    found = {}
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == "0A" and columns[9] in inodes:
                address, _, port = columns[1].partition(":")
                found[int(port, 16)] = address
    assert set(found.values()) == {"0100007F"}, "something listens beyond 127.0.0.1"
    return sorted(found)


def state(service: Service) -> dict[str, Any]:
    """What an attack could have changed."""
    stack = service.stack

    def of(name: str, operation: str, **arguments: Any) -> str:
        answer = getattr(stack.client(name), operation)(**arguments)
        answer.pop("ResponseMetadata")
        return json.dumps(answer, default=str, sort_keys=True)

    bucket = stack.outputs["Bucket"]
    return {
        "functions": of("lambda", "list_functions", MaxItems=10_000),
        "buckets": of("s3", "list_buckets"),
        "objects": of("s3", "list_object_versions", Bucket=bucket, Prefix="images/"),
        "records": of("dynamodb", "scan", TableName=stack.outputs["ImagesTable"]),
        "datasets": of("dynamodb", "scan", TableName=stack.outputs["DatasetsTable"]),
        "roles": of("iam", "list_roles"),
        "users": of("cognito-idp", "list_users", UserPoolId=stack.outputs["UserPoolId"]),
        "secrets": of("secretsmanager", "list_secrets"),
    }


def query_signed(method: str, url: str, service: str, keys: Credentials, body: str = "") -> str:
    request = AWSRequest(method, url, data=body)
    kind = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
    kind(keys, service, "us-east-1", expires=900).add_auth(request)
    return str(request.url)


def reads(base: str, service: Service) -> Iterator[str]:
    bucket, table = service.stack.outputs["Bucket"], service.stack.outputs["ImagesTable"]
    yield from (f"{base}/{path}" for path in [*_PAGES, *_INTERNAL])
    yield f"{base}/{service.stack.outputs['UserPoolId']}/.well-known/openid-configuration"
    for keys in _KNOWN:
        yield query_signed("GET", f"{base}/2015-03-31/functions", "lambda", keys)
        yield query_signed("GET", f"{base}/?Action=ListRoles&Version=2010-05-08", "iam", keys)
        yield query_signed("GET", f"{base}/?Action=GetSecretValue&TableName={table}", "dynamodb", keys)
        for key in ("", "?versions", "/search/", "/exports/", "/references/"):
            yield query_signed("GET", f"{base}/{bucket}{key}", "s3", keys)


def writes(base: str, service: Service) -> Iterator[tuple[str, str]]:
    """Addresses and bodies."""
    bucket = service.stack.outputs["Bucket"]
    function = service.stack.resources["ListImages"]
    yield f"{base}/ai/generate", '{"prompt": "made by a foreign page"}'
    yield f"{base}/ai/datasets", '{"name": "made by a foreign page"}'
    for path in ("_ministack/reset", "_ministack/config", "_localstack/state/reset", "_ministack/reset?init=1"):
        yield f"{base}/{path}", '{"lambda_svc.LAMBDA_EXECUTOR": "docker"}'
    for keys in _KNOWN:
        yield query_signed("POST", f"{base}/2015-03-31/functions", "lambda", keys, _FUNCTION), _FUNCTION
        yield query_signed("POST", f"{base}/2015-03-31/functions/{function}/invocations", "lambda", keys, "{}"), "{}"
        yield query_signed("POST", f"{base}/?Action=CreateUser&UserName=evil", "iam", keys), ""
        yield query_signed("POST", f"{base}/{bucket}?delete", "s3", keys), "<Delete></Delete>"


def jobs(bases: list[str], service: Service) -> Iterator[Job]:
    """Each request in every way and to every base, which takes turns instead of every way to every base."""
    for number, row in enumerate(zip(*(reads(base, service) for base in bases), strict=True)):
        for way, options in enumerate(_READING):
            yield {"kind": "fetch", "url": row[(number + way) % len(bases)], "options": options}
    for number, addressed in enumerate(zip(*(writes(base, service) for base in bases), strict=True)):
        for way, written in enumerate(_WRITING):
            url, body = addressed[(number + way) % len(bases)]
            yield {"url": url, **written(body)}
    bucket = service.stack.outputs["Bucket"]
    for base in bases:
        yield {"kind": "form", "url": f"{base}/{bucket}", "enctype": _MULTIPART, "fields": [["key", "a"]]}
        for path, method in ((f"{bucket}/images/evil.png", "PUT"), (bucket, "DELETE"), ("ai/users/me", "DELETE")):
            yield {"kind": "fetch", "url": f"{base}/{path}", "options": {"method": method}}
        for path in ("", "ai/generated-images", "_aws/execute-api/x/$default/"):
            yield {"kind": "socket", "url": f"ws{base.removeprefix('http')}/{path}"}


def test_a_foreign_page_reads_and_changes_nothing(browser: Browser, target: Service, foreign: str) -> None:
    opened = ports(target)
    assert {urlsplit(target.url).port, urlsplit(target.stack.endpoint).port} == set(opened)
    before = state(target)
    requests: list[Request] = []
    answers: list[Response] = []
    sent = list(jobs([f"http://{host}:{port}" for port in opened for host in ("localhost", "127.0.0.1")], target))
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.on("request", lambda request: requests.append(request))
        page.on("response", lambda answer: answers.append(answer))
        page.goto(foreign)
        assert set(page.evaluate(_SEND, sent)) == {None}
        let_in = {
            (one.request.method, urlsplit(one.url).path, one.status)
            for one in answers
            if one.status < 400 and not one.url.startswith(foreign)
        }
        shared = [one.url for one in answers if "access-control-allow-origin" in one.headers]
    assert let_in == set()
    assert shared == []
    assert len(requests) > len(sent) / 2
    submitted = [one for one in requests if one.is_navigation_request() and one.method == "POST"]
    assert len(submitted) == len([job for job in sent if job["kind"] == "form"])
    assert state(target) == before


def test_a_rebound_name_is_refused(browser: Browser, target: Service) -> None:
    """A name that resolves to loopback, as a foreign page's own does after DNS rebinding."""
    before = state(target)
    bases = [f"http://rebound.localhost:{port}" for port in ports(target)]
    everything = list(jobs(bases, target))
    with closing(browser.new_context()) as context:
        page = context.new_page()
        for base in bases:
            answer = page.goto(f"{base}/ai/generated-images")
            assert answer is not None
            assert answer.status == 403
            assert "secret" not in answer.text()
            statuses: list[int] = []

            def seen(answer: Response, statuses: list[int] = statuses) -> None:
                statuses.append(answer.status)

            page.on("response", seen)
            sent = [job for job in everything if urlsplit(job["url"]).netloc == urlsplit(base).netloc]
            page.evaluate(_SEND, sent)
            assert set(statuses) <= {403, 404}
            assert len(statuses) > len(sent) / 2
    assert state(target) == before


def test_a_link_from_elsewhere_and_an_embedded_image_work(browser: Browser, target: Service, foreign: str) -> None:
    image = Api(target).generate("to be shown elsewhere")
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(foreign)
        loaded = """url => new Promise(done => {
            const image = new Image();
            image.onload = () => done(true);
            image.onerror = () => done(false);
            image.src = url;
        })"""
        assert page.evaluate(loaded, image["image_url"])
        page.evaluate("url => { location.href = url; }", target.url)
        page.locator(".tile").first.wait_for()
