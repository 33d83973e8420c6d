"""The API as a test needs it beside the browser: what to look at is made here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from local.token import token
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.conftest import Service


class Api:
    """Calls as one user, or as nobody."""

    def __init__(self, service: Service, user: str = "", groups: tuple[str, ...] = ()) -> None:
        self._url = service.url
        self._headers = {"content-type": "application/json"}
        if user:
            self._headers["authorization"] = f"Bearer {token(service.folder, user, list(groups))}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer's JSON. Raises HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data, {**self._headers, **headers}, method=method)
        with urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def generate(self, prompt: str, **more: Any) -> dict[str, Any]:
        """The record of a new image."""
        made: dict[str, Any] = self.call("POST", "/ai/generate", {"prompt": prompt, "format": "webp", **more})
        return made
