"""AWS Signature Version 4: of one request with its whole body at hand, of an address, and of an upload form.

Source: the "Create a signed AWS API request" pages of the IAM user guide. Signing here costs 40 µs and imports
nothing heavy, where botocore's signer costs two thirds of its whole client at cold start (docs/decisions.md).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta


class Credentials(NamedTuple):
    """An access key; `token` is the session token of temporary credentials."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None


def signed_headers(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """The headers to send: `headers` (lower-case names, `host` among them) with date, token and signature.

    `path` is percent-encoded as it goes over the wire; `query` is encoded and sorted by name.
    """
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    sent = {**headers, "x-amz-date": moment}
    if service == "s3":
        sent["x-amz-content-sha256"] = digest
    if credentials.token:
        sent["x-amz-security-token"] = credentials.token
    names = sorted(sent)
    signed = ";".join(names)
    lines = [method, path, query, *(f"{name}:{' '.join(sent[name].split())}" for name in names), "", signed, digest]
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    key = _signing_key(credentials.secret_access_key, moment[:8], region, service)
    signature = _signature(key, moment, scope, lines)
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    return sent


def signed_query(
    host: str, path: str, *, credentials: Credentials, region: str, now: datetime, lifetime: timedelta
) -> str:
    """The query by which whoever holds it may GET one object of S3; `path` as it goes over the wire."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(int(lifetime.total_seconds())),
        **({"X-Amz-Security-Token": credentials.token} if credentials.token else {}),
        "X-Amz-SignedHeaders": "host",
    }
    query = urlencode(parameters, quote_via=quote, safe="")
    key = _signing_key(credentials.secret_access_key, moment[:8], region, "s3")
    lines = ["GET", path, query, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"]
    return f"{query}&X-Amz-Signature={_signature(key, moment, scope, lines)}"


def signed_form(
    fields: Mapping[str, str],
    conditions: list[Any],
    *,
    credentials: Credentials,
    region: str,
    now: datetime,
    lifetime: timedelta,
) -> dict[str, str]:
    """The fields of a form by which whoever holds it may POST one object to S3, within `conditions` and `lifetime`.

    `conditions` are those of a POST policy; each of `fields` must be covered by one of them.
    """
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    signing = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{credentials.access_key_id}/{moment[:8]}/{region}/s3/aws4_request",
        "x-amz-date": moment,
        **({"x-amz-security-token": credentials.token} if credentials.token else {}),
    }
    policy = {
        "expiration": (now + lifetime).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [*conditions, *({name: value} for name, value in signing.items())],
    }
    encoded = base64.b64encode(json.dumps(policy).encode())
    key = _signing_key(credentials.secret_access_key, moment[:8], region, "s3")
    signature = hmac.digest(key, encoded, "sha256").hex()
    return {**fields, **signing, "policy": encoded.decode(), "x-amz-signature": signature}


def _signature(key: bytes, moment: str, scope: str, lines: list[str]) -> str:
    canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return hmac.digest(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{canonical}".encode(), "sha256").hex()


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
