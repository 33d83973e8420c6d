"""What the emulator's guard lets through: signed requests and the front door, and nothing a web page can send."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signer
from ministack.core import iam_evaluator
from ministack.services import s3, sts

from local.aws import ACCOUNT, REGION
from local.credentials import Credentials
from local.emulator.context import Context
from local.emulator.disk import Disk
from local.emulator.guard import Guard
from local.emulator.patches import root_key

OWN = Credentials("AKIAAAAAAAAAAAAAAAAA", "a secret of this folder")
ENDPOINT = "http://127.0.0.1:4566"
UNREAD = b"a body that must not be read"


class RoomyDisk(Disk):
    def __init__(self) -> None:
        self.is_full = False


CONTEXT = Context(OWN, RoomyDisk())


@pytest.fixture(autouse=True)
def one_root_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (iam_evaluator, sts):
        monkeypatch.setattr(module, "is_root_access_key", module.is_root_access_key)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OWN.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OWN.secret_access_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    root_key.apply(CONTEXT)


def status(
    method: str = "POST",
    target: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    kind: str = "http",
) -> int:
    """200 if the request reached the emulator, else the status of the refusal (0 for a closed WebSocket)."""
    sent: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        assert (await receive())["body"] == body
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        assert body is not UNREAD, "read"
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    parts = urlsplit(target)
    scope = {
        "type": kind,
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [
            (k.lower().encode(), v.encode()) for k, v in ({"host": "127.0.0.1:4566"} | (headers or {})).items()
        ],
    }
    asyncio.run(Guard(app, CONTEXT, ACCOUNT)(scope, receive, send))
    assert not [name for one in seen for name, _ in one["headers"] if name == b"x-imagetrail-gateway"]
    return int(sent[0].get("status", 0))


def signed(*, keys: Credentials = OWN, host: str = "127.0.0.1:4566", token: str = "") -> dict[str, str]:
    headers = {"x-amz-target": "DynamoDB_20120810.ListTables"} | ({"x-amz-security-token": token} if token else {})
    request = AWSRequest("POST", f"http://{host}/", headers, b"{}")
    SigV4Auth(Signer(keys.access_key_id, keys.secret_access_key), "dynamodb", REGION).add_auth(request)
    return {"host": host, **dict(request.headers.items())}


def presigned(auth: type[SigV4QueryAuth], service: str, keys: Credentials = OWN, method: str = "GET") -> str:
    request = AWSRequest(method, f"{ENDPOINT}/2015-03-31/functions")
    auth(Signer(keys.access_key_id, keys.secret_access_key), service, REGION, expires=60).add_auth(request)
    return str(request.url).removeprefix(ENDPOINT)


def test_signed_requests_pass() -> None:
    assert status(headers=signed(), body=b"{}") == 200
    assert status("GET", presigned(S3SigV4QueryAuth, "s3")) == 200
    assert status("GET", presigned(SigV4QueryAuth, "lambda")) == 200


def test_a_role_session_passes_with_its_own_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/one"
    session = {"Arn": arn, "UserId": "reader:one", "SecretAccessKey": "its secret", "SessionToken": "its token"}
    monkeypatch.setitem(sts._sessions, "ASIAREADER", session)
    keys = Credentials("ASIAREADER", "its secret")
    assert status(headers=signed(keys=keys, token="its token"), body=b"{}") == 200
    assert status(headers=signed(keys=keys), body=b"{}") == 403
    assert status(headers=signed(keys=Credentials("ASIAREADER", "no"), token="its token"), body=b"{}") == 403


@pytest.mark.parametrize("key_id", ["test", "", ACCOUNT, "AKIAIOSFODNN7EXAMPLE", OWN.access_key_id])
@pytest.mark.parametrize("secret", ["test", "", ACCOUNT])
def test_keys_that_anybody_knows_do_not(key_id: str, secret: str) -> None:
    known = Credentials(key_id, secret)
    assert status(headers=signed(keys=known), body=b"{}") == 403
    assert status("GET", presigned(S3SigV4QueryAuth, "s3", known)) == 403
    assert status("GET", presigned(SigV4QueryAuth, "lambda", known)) == 403


def test_what_was_signed_is_what_is_sent() -> None:
    assert status(headers=signed(), body=b'{"Limit": 1}') == 403
    assert status("GET", presigned(SigV4QueryAuth, "lambda") + "&Marker=1") == 403
    assert status("DELETE", presigned(SigV4QueryAuth, "lambda")) == 403
    assert status("POST", "/2015-03-31/functions", signed(), b"{}") == 403


def test_signatures_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_args, **_more: earlier)
    assert status("GET", presigned(S3SigV4QueryAuth, "s3")) == 403
    assert status(headers=signed(), body=b"{}") == 403


@pytest.mark.parametrize("path", ["/", "/bucket", "/bucket/key", "/2015-03-31/functions", "/login", "/oauth2/token"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_unsigned_requests_are_refused(method: str, path: str) -> None:
    assert status(method, path) == 403


@pytest.mark.parametrize(
    "path",
    ["/_ministack/reset", "/_ministack/health", "/_localstack/health", "/health", "/_aws/execute-api/a/b", "/_alb/x"],
)
def test_internal_paths_do_not_exist(path: str) -> None:
    assert status("POST", path, signed(), b"{}") == 404
    assert status("POST", path, {"x-imagetrail-gateway": OWN.gateway_token}) == 404


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ENDPOINT}, {"sec-fetch-site": "same-origin"}],
)
def test_pages_are_refused_even_when_they_sign(headers: dict[str, str]) -> None:
    assert status(headers=signed() | headers, body=b"{}") == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4566", "127.0.0.1.evil.example", "evil.localhost", "x@localhost", ""],
)
def test_foreign_hosts_are_refused_even_when_they_sign(host: str) -> None:
    assert status(headers=signed(host=host or "x") | {"host": host}, body=b"{}") == 403
    assert status("GET", "/us-east-1_pool/.well-known/jwks.json", {"host": host}) == 403


def test_a_host_that_cannot_be_read_is_foreign() -> None:
    assert status("GET", "/us-east-1_pool/.well-known/jwks.json", {"host": "[::1"}) == 403


DOOR = {"x-imagetrail-gateway": OWN.gateway_token}
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


def test_the_front_door_passes_calls_of_the_api_unsigned() -> None:
    token = DOOR | {"host": "api.execute-api.localhost", "origin": "http://app"}
    assert status("POST", "/ai/generate", token) == 200
    assert status("POST", "/ai/generate", token | {"x-imagetrail-gateway": "guess"}) == 403


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/login?client_id=a"),
        ("POST", "/login"),
        ("GET", "/logout?client_id=a&logout_uri=b"),
        ("GET", "/oauth2/authorize?state=1"),
        ("POST", "/oauth2/token"),
        ("GET", "/oauth2/userInfo"),
        ("GET", "/us-east-1_pool/.well-known/openid-configuration"),
    ],
)
def test_the_front_door_passes_what_signs_in(method: str, target: str) -> None:
    assert status(method, target, DOOR | {"authorization": "Bearer x"} | URLENCODED, b"grant_type=code") == 200


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [
        ("GET", "/logout?Action=CreateUser&UserName=x", {"authorization": "Bearer x"}, b""),
        ("GET", "/logout?action=CreateUser", {}, b""),
        ("GET", f"/logout?X-Amz-Credential={OWN.access_key_id}%2Fa", {"authorization": "Bearer x"}, b""),
        ("POST", "/oauth2/token", URLENCODED, b"Action=CreateUser&UserName=x"),
        ("POST", "/oauth2/token", {"authorization": f"AWS4-HMAC-SHA256 Credential={OWN.access_key_id}/a"}, b""),
        ("POST", "/logout", {}, b""),
        ("PUT", "/login", {}, b""),
        ("POST", "/", URLENCODED, b"Action=ListRoles"),
        ("POST", "/2015-03-31/functions", {}, b"{}"),
        ("DELETE", "/bucket/key", {}, b""),
        ("GET", "/bucket/key", {}, b""),
        ("GET", "/bucket?X-Amz-Signature=0", {}, b""),
    ],
)
def test_the_front_door_passes_nothing_else_unsigned(
    method: str, target: str, headers: dict[str, str], body: bytes
) -> None:
    assert status(method, target, DOOR | headers, body) == 403


def test_the_front_door_passes_signed_reads_of_any_host() -> None:
    assert status("GET", presigned(S3SigV4QueryAuth, "s3"), DOOR) == 200
    assert status("GET", presigned(S3SigV4QueryAuth, "s3") + "0", DOOR) == 403
    assert status("DELETE", presigned(S3SigV4QueryAuth, "s3", method="DELETE"), DOOR) == 403


def test_nothing_is_read_from_who_has_no_key() -> None:
    with pytest.raises(AssertionError, match="read"):
        status(headers=signed(), body=UNREAD)
    assert status("POST", "/", {"origin": "http://evil.example"}, UNREAD) == 403
    assert status("POST", "/", {"host": "evil.example"}, UNREAD) == 403
    assert status("POST", "/", {}, UNREAD) == 403


def form(*names: str) -> tuple[dict[str, str], bytes]:
    """An upload form with these fields, whose file names a signature that the form does not have."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nx\r\n' for name in names]
    file = 'filename="a"\r\n\r\nname="policy" name="x-amz-credential" name="x-amz-signature"\r\n--b--\r\n'
    body = "".join(parts) + '--b\r\nContent-Disposition: form-data; name="file"; ' + file
    token = DOOR | {"content-type": "multipart/form-data; boundary=b"}
    return token, body.encode()


def test_only_signed_forms_to_a_bucket_pass_the_front_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(s3._buckets, "bucket", {})
    headers, body = form("key", "policy", "x-amz-credential", "x-amz-signature")
    assert status("POST", "/bucket", headers, body) == 200
    assert status("POST", "/bucket?delete", headers, body) == 403
    assert status("POST", "/logout", headers, body) == 403
    assert status("POST", "/logout?Action=CreateUser", headers | {"authorization": "Bearer x"}, body) == 403
    assert status("PUT", "/bucket", headers, body) == 403
    headers, body = form("key")
    assert status("POST", "/bucket", headers, body) == 403
    headers, body = form("key", "policy", "x-amz-credential")
    assert status("POST", "/bucket", headers, body) == 403


def test_only_public_keys_are_read_unsigned() -> None:
    assert status("GET", "/us-east-1_pool/.well-known/jwks.json") == 200
    assert status("GET", "/bucket/a/.well-known/jwks.json") == 403
    assert status("PUT", "/bucket/.well-known/jwks.json") == 403
    assert status("GET", "/us-east-1_pool/.well-known/openid-configuration") == 403


def test_websockets_are_closed() -> None:
    assert status("GET", "/", kind="websocket") == 0
