"""Image models by name, each with its vendor's address and key; an adapter is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagetrail.errors import ModelFailed
from imagetrail.settings import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagetrail.models import ImageModel
    from imagetrail.settings import Settings


def connect(name: str, s: Settings, on_close: Callable[[Callable[[], None]], object]) -> ImageModel:
    """The model of this full name; `on_close` is told what to do in the end. Raises MisconfiguredError."""
    adapter, _, variant = name.partition("/")
    match adapter:
        case "procedural":
            from imagetrail.models import procedural

            return procedural.generate
        case "stability":
            from imagetrail.models import stability

            return stability.connect(variant, key=vendor_key(s.stability_secret_name), url=s.stability_host)
        case "stability-rest":
            from imagetrail.models import stability_rest, wire

            on_close(wire.close)
            return stability_rest.connect(variant, key=vendor_key(s.stability_secret_name), url=s.stability_url)
        case "bedrock":
            from imagetrail.models import bedrock

            return bedrock.connect(variant, region=s.bedrock_region, url=s.bedrock_url)
        case "gemini":
            from imagetrail.models import gemini, wire

            on_close(wire.close)
            return gemini.connect(variant, key=vendor_key(s.gemini_secret_name), url=s.gemini_url)
    raise MisconfiguredError(f"there is no image model {name}")


def vendor_key(secret_name: str) -> Callable[[], str]:
    """Reads a vendor's key by its name in Secrets Manager, at most every five minutes: a rotation needs no deploy."""

    def read() -> str:
        from aws_lambda_powertools.utilities.parameters import get_secret
        from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

        try:
            return str(get_secret(secret_name, max_age=300)).strip()
        except GetParameterError:
            raise ModelFailed("The key of the image model cannot be read.", retry_after=300) from None

    return read
