"""The edge: CloudFront, which keeps copies of the pixels close to those who look at them."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from imagetrail.aws import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imagetrail.aws import Endpoint

URL = "https://cloudfront.amazonaws.com"
"""CloudFront has one address for all regions, and is signed for us-east-1."""
MAX_PATHS = 100
"""Of 3,000 that may be under way at once. Above, all pixels are forgotten: that is a few paths, and costs like them."""
_EVERYTHING = ("/images/*", "/thumbnails/*")
_VERSION = "2020-05-31"
_CODE = re.compile(rb"<Code>(\w+)</Code>")


class Edge:
    """One distribution, or none: then nothing is kept anywhere, and nothing needs to be forgotten."""

    def __init__(self, endpoint: Endpoint, distribution: str) -> None:
        self._endpoint, self._distribution = endpoint, distribution

    def forget(self, paths: Iterable[str], *, because: Iterable[str]) -> None:
        """Has the edge ask the bucket again for these paths, such as `/images/ID.png`, from within a minute on.

        `because` names the reason. The same paths for the same reason are one invalidation, however often they are
        sent; for another reason they are another. Raises AwsError and Unavailable: try again later.
        """
        listed = sorted(set(paths))
        if not (listed and self._distribution):
            return
        reason = hashlib.sha256("\n".join([*listed, "", *sorted(set(because))]).encode()).hexdigest()
        if len(listed) > MAX_PATHS:
            listed = list(_EVERYTHING)
        reply = self._endpoint.request(
            "POST",
            f"/{_VERSION}/distribution/{self._distribution}/invalidation",
            {"content-type": "application/xml"},
            _batch(listed, reason),
        )
        if reply.status != 201:
            code = _CODE.search(reply.body)
            raise AwsError("cloudfront", code[1].decode() if code else str(reply.status), {})


def _batch(paths: list[str], reference: str) -> bytes:
    items = "".join(f"<Path>{escape(path)}</Path>" for path in paths)
    return (
        f'<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/{_VERSION}/">'
        f"<CallerReference>{reference}</CallerReference>"
        f"<Paths><Items>{items}</Items><Quantity>{len(paths)}</Quantity></Paths>"
        "</InvalidationBatch>"
    ).encode()
