"""What is served beside the pages, and how: here by the front door, on AWS as `make pages` uploads it."""

from pathlib import Path
from urllib.parse import urlsplit

from samtranslator.yaml_helper import yaml_parse

from local.stack import Stack
from local.template import ROOT

FOLDER = ROOT / "build" / "web"
CONFIG = "config.json"

_KEPT = "public, max-age=31536000, immutable"
_ASKED_AGAIN = "no-cache"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def headers(path: str) -> list[tuple[str, str]]:
    """Of a file of the pages: what is named by a digest of itself may be kept for ever."""
    kind = _TYPES.get(Path(path).suffix, "application/octet-stream")
    return [("content-type", kind), ("cache-control", _KEPT if path.startswith("assets/") else _ASKED_AGAIN)]


def config(outputs: dict[str, str], discovery: str = "") -> dict[str, str]:
    """What the pages must know of a deployment to sign in; the outputs are the template's."""
    issuer = outputs["PagesIssuer"]
    return {
        "issuer": issuer,
        "discovery": discovery or f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        "client_id": outputs["PagesClientId"],
        "audience": outputs["PagesAudience"],
    }


def local_config(stack: Stack) -> dict[str, str]:
    """Of the local deployment, whose user pool answers at the front door."""
    pool = stack.outputs["UserPoolId"]
    own = stack.outputs["PagesIssuer"].endswith(f"/{pool}")
    return config(stack.outputs, f"/{pool}/.well-known/openid-configuration" if own else "")


def content_security_policy(stack: Stack) -> str:
    """The edge's own, without the bucket's host and the user pool's, which answer at the front door here."""
    resources = yaml_parse((ROOT / "infra" / "edge.yaml").read_text())["Resources"]
    security = resources["PageHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    policy: str = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"]
    discovery = urlsplit(local_config(stack)["discovery"])
    issuer = f"{discovery.scheme}://{discovery.netloc}" if discovery.netloc else ""
    return policy.replace(" https://${BucketDomain}", "").replace("${SignIn}", issuer).strip()
