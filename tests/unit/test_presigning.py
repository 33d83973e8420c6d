"""Addresses and forms that a browser may use: what AWS's own SDK would sign."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as SdkCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from imagetrail.presigning import Presigner
from imagetrail.sigv4 import Credentials, signed_form, signed_query

VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
CREDENTIALS = st.builds(
    Credentials,
    st.from_regex(r"[A-Z0-9]{4,20}", fullmatch=True),
    VISIBLE,
    st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,300}", fullmatch=True),
)
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda key: f"references/{key}")
REGION = "eu-central-1"


@settings(max_examples=200)
@given(key=KEYS, credentials=CREDENTIALS, seconds=st.integers(1, 604_800))
def test_an_address_is_signed_as_the_sdk_signs_it(key: str, credentials: Credentials, seconds: int) -> None:
    host, path = "pixels.s3.eu-central-1.amazonaws.com", f"/{quote(key)}"
    request = AWSRequest("GET", f"https://{host}{path}")
    S3SigV4QueryAuth(SdkCredentials(*credentials), "s3", REGION, seconds).add_auth(request)
    theirs = dict(parse_qsl(urlsplit(request.url).query))
    now = datetime.strptime(theirs["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    lifetime = timedelta(seconds=seconds)
    ours = signed_query(host, path, credentials=credentials, region=REGION, now=now, lifetime=lifetime)
    assert dict(parse_qsl(ours)) == theirs


@settings(max_examples=20)  # each makes a client of the SDK
@given(key=KEYS, credentials=CREDENTIALS, content_type=VISIBLE, size=st.integers(1, 10**9))
def test_a_form_is_signed_as_the_sdk_signs_it(key: str, credentials: Credentials, content_type: str, size: int) -> None:
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    config = Config(s3={"addressing_style": "virtual"})
    known = dict(zip(names, credentials, strict=True))
    client = boto3.session.Session(region_name=REGION).client("s3", config=config, **known)
    conditions = [{"Content-Type": content_type}, ["content-length-range", 1, size]]
    fields = {"Content-Type": content_type}
    theirs = client.generate_presigned_post("pixels", key.replace("${", ""), fields, [*conditions], 900)["fields"]
    policy = json.loads(base64.b64decode(theirs["policy"]))

    now = datetime.strptime(theirs["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    mine = [*conditions, {"bucket": "pixels"}, {"key": theirs["key"]}]
    lifetime = datetime.fromisoformat(policy["expiration"]) - now
    ours = signed_form(
        {**fields, "key": theirs["key"]}, mine, credentials=credentials, region=REGION, now=now, lifetime=lifetime
    )
    assert ours == theirs


def test_an_address_stays_the_same_for_five_minutes_and_opens_for_fifteen() -> None:
    def at(minute: int, second: int = 0) -> str:
        return Presigner(
            address="http://localhost:3000/pixels",
            bucket="pixels",
            region=REGION,
            credentials=lambda: Credentials("AKIDEXAMPLE", "secret", "token"),
            now=lambda: datetime(2026, 2, 2, 10, minute, second, tzinfo=UTC),
        ).url("references/a b.png")

    assert at(30) == at(34, 59) != at(35)
    parts = urlsplit(at(34, 59))
    assert (parts.netloc, parts.path) == ("localhost:3000", "/pixels/references/a%20b.png")
    query = dict(parse_qsl(parts.query))
    assert (query["X-Amz-Date"], query["X-Amz-Expires"]) == ("20260202T103000Z", "1200")
