"""`make token SUB=alice [GROUPS=admin]`: prints an access token as the local user pool would issue it."""

import base64
import hashlib
import sys
import time
import uuid

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from local.folder import Folder
from local.problem import ProblemError

LIFETIME = 3600  # seconds


def token(folder: Folder, subject: str, groups: list[str]) -> str:
    """A signed token. Raises ProblemError."""
    runtime = folder.runtime
    if not subject:
        raise ProblemError("whose token? run: make token SUB=alice [GROUPS=admin]")
    if runtime is None:
        raise ProblemError(f"the service has never run on {folder.path}; run: make run")
    if runtime.issuer != runtime.own_issuer:
        raise ProblemError(f"the service accepts tokens of {runtime.issuer} only; get one there")
    pem = folder.access_key(runtime.user_pool)
    public = load_pem_private_key(pem, password=None).public_key()
    fingerprint = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    now = int(time.time())
    claims = {
        "sub": subject,
        "iss": runtime.issuer,
        "client_id": runtime.client,
        "origin_jti": str(uuid.uuid4()),
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "auth_time": now,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
        "username": subject,
    }
    if groups:
        claims["cognito:groups"] = groups
    key_id = base64.b64encode(fingerprint.digest()).decode()
    return jwt.encode(claims, pem, algorithm="RS256", headers={"kid": key_id})


def main(arguments: list[str]) -> int:
    """Takes the subject and then the groups."""
    subject, *groups = arguments or [""]
    try:
        print(token(Folder.from_environment(), subject, groups))
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
