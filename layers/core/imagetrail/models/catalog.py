"""Which models a deployment offers, and how a request finds one that answers."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING

from imagetrail.errors import Invalid, ModelFailed
from imagetrail.settings import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.models import Capabilities, ImageModel

ADAPTERS = ("procedural", "stability", "stability-rest", "bedrock", "gemini")
_FAILURES_TO_OPEN = 3
_OPEN_SECONDS = 30.0


def variants(adapter: str) -> Mapping[str, Capabilities]:
    """What an adapter knows, by the full name of each model; the first is its default."""
    module = import_module(f"imagetrail.models.{adapter.replace('-', '_')}")
    known: Mapping[str, Capabilities] = module.VARIANTS
    return {adapter if len(known) == 1 else f"{adapter}/{variant}": can for variant, can in known.items()}


class Catalog:
    """The models of one deployment, such as `stability-rest,bedrock/core`: the first answers, the others step in.

    An adapter's name offers all its models. `connect` makes the callable of a model's full name; each is made once.
    """

    def __init__(
        self,
        configured: str,
        connect: Callable[[str], ImageModel],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect, self._clock = connect, clock
        self.offers: dict[str, Capabilities] = {}
        self._defaults: list[str] = []
        for entry in (name.strip() for name in configured.split(",")):
            adapter = entry.partition("/")[0]
            if adapter not in ADAPTERS:
                raise MisconfiguredError(f"there is no image model {entry}; there are {', '.join(ADAPTERS)}")
            known = variants(adapter)
            if entry != adapter and entry not in known:
                raise MisconfiguredError(f"there is no image model {entry}; there are {', '.join(known)}")
            chosen = {entry: known[entry]} if entry in known else known
            self.offers |= chosen
            self._defaults.append(next(iter(chosen)))
        self._models: dict[str, ImageModel] = {}
        self._failures: dict[str, tuple[int, float]] = {}

    def choose(self, asked: str | None, full_prompt: str = "") -> list[str]:
        """The models to try, in order: the one asked for alone, or the deployment's defaults. Raises Invalid.

        A model that does not take all of the full prompt is passed over.
        """
        candidates = self._defaults if asked is None else self._named(asked)
        able = [name for name in candidates if self.offers[name].takes(full_prompt)]
        if not able:
            raise _too_long(full_prompt, max(self.offers[name].max_prompt or 0 for name in candidates))
        closed = [name for name in able if asked is not None or not self._is_open(name)]
        return closed or able[:1]

    def _named(self, asked: str) -> list[str]:
        for name in self.offers:
            if asked in (name, name.partition("/")[0]):
                return [name]
        raise Invalid(
            "This deployment does not offer that model.",
            errors=[("model", f"must be one of {', '.join(self.offers)}")],
        )

    def model(self, name: str) -> ImageModel:
        """The model of this full name, connected when first asked for."""
        if name not in self._models:
            self._models[name] = self._connect(name)
        return self._models[name]

    def report(self, name: str, error: ModelFailed | None) -> None:
        """Tells how a call went: after three failures in a row a default model is passed over for half a minute."""
        if error is None:
            self._failures.pop(name, None)
        else:
            count = self._failures.get(name, (0, 0.0))[0] + 1
            self._failures[name] = (count, self._clock())

    def _is_open(self, name: str) -> bool:
        count, since = self._failures.get(name, (0, 0.0))
        return count >= _FAILURES_TO_OPEN and self._clock() - since < _OPEN_SECONDS


def _too_long(full_prompt: str, limit: int) -> Invalid:
    """The prompt is what a caller can change; a dataset's parts and a style are sent with it."""
    length = len(full_prompt)
    return Invalid(
        f"With the dataset's parts and the style the prompt has {length:,} characters; the model takes {limit:,}.",
        errors=[("prompt", f"must be {length - limit:,} characters shorter, or have a shorter dataset or style")],
    )
