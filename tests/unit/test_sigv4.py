"""Signatures: what AWS's own SDK would sign, byte for byte."""

from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagetrail.sigv4 import Credentials, signed_headers

HOST = "bucket.s3.eu-central-1.amazonaws.com"
VISIBLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
NAMES = st.sampled_from(
    [
        "content-type",
        "cache-control",
        "x-amz-target",
        "x-amz-tagging",
        "x-amz-meta-a",
        "x-amz-meta-ab",
        "x-z",
        "if-match",
    ]
)


@settings(max_examples=300)
@given(
    service=st.sampled_from(["dynamodb", "s3"]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    key=st.text(st.characters(exclude_categories=["Cs"])),
    parameters=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(VISIBLE)),
    headers=st.dictionaries(NAMES, st.text(VISIBLE)),
    body=st.binary(),
    credentials=st.builds(Credentials, st.from_regex(r"\w{4,20}", fullmatch=True), st.text(VISIBLE, min_size=1))
    | st.builds(
        Credentials,
        st.just("AKIDEXAMPLE"),
        st.text(VISIBLE, min_size=1),
        st.from_regex(r"[A-Za-z0-9+/=]{1,300}", fullmatch=True),
    ),
    region=st.sampled_from(["us-east-1", "eu-central-1"]),
)
@example(
    "s3", "PUT", "images/é 🦊+~%2F.png", {"a b": "c/d", "a": ""}, {"x-z": "  a  b "}, b"x", Credentials("a", "b"), "x"
)
def test_a_request_is_signed_as_the_sdk_signs_it(
    service: str,
    method: str,
    key: str,
    parameters: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
) -> None:
    path = f"/{quote(key.lstrip('/'))}" if service == "s3" else "/"
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in parameters.items())
    query = "&".join(f"{name}={value}" for name, value in pairs)
    url = f"https://{HOST}{path}" + (f"?{query}" if query else "")
    reference = AWSRequest(method, url, headers=headers, data=body)
    sdk = SdkCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.token)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(sdk, service, region).add_auth(reference)
    signed = signed_headers(
        method,
        path,
        query,
        {**headers, "host": HOST},
        body,
        credentials=credentials,
        region=region,
        service=service,
        now=datetime.strptime(reference.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )
    assert signed.pop("host") == HOST
    assert signed == {name.lower(): value for name, value in reference.headers.items()}


def test_the_example_of_the_documentation() -> None:
    """`get-vanilla` of AWS's signature test suite; a key is kept for a day and no longer."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

    def authorization(day: int) -> str:
        return signed_headers(
            "GET",
            "/",
            "",
            {"host": "example.amazonaws.com"},
            b"",
            credentials=credentials,
            region="us-east-1",
            service="service",
            now=datetime(2015, 8, day, 12, 36, tzinfo=UTC),
        )["authorization"]

    today, tomorrow, again = authorization(30), authorization(31), authorization(30)
    assert (
        today
        == again
        == (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        )
    )
    assert tomorrow.partition("Signature=")[2] != today.partition("Signature=")[2]
