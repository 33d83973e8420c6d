"""The default model: a deterministic painter that needs no key, no network and no training data.

It is not an AI model, and its records say so: the provider is `procedural`.
"""

from imagetrail.models import RESOLUTIONS, Capabilities, ImageRequest, ModelOutput
from imagetrail.models.painter.scenes import paint

VARIANTS = {"": Capabilities(resolutions=RESOLUTIONS)}


def generate(request: ImageRequest) -> ModelOutput:
    """A drawing at exactly the size asked for."""
    return ModelOutput(
        data=paint(request.prompt, request.seed, request.width, request.height),
        provider="procedural",
        model="procedural",
        seed=request.seed,
        is_svg=True,
    )
