"""The default model: a deterministic painter that needs no key, no network and no training data.

It is not an AI model, and its records say so: the provider is `procedural`.
"""

from imagetrail.models import ImageRequest, ModelOutput
from imagetrail.models.painter.scenes import paint


def generate(request: ImageRequest) -> ModelOutput:
    """A drawing at exactly the size asked for. It costs nothing and knows neither negative prompts nor quality."""
    dropped = [
        name
        for name, asked in (
            ("negative_prompt", request.negative_prompt is not None),
            ("quality", request.quality != "standard"),
        )
        if asked
    ]
    return ModelOutput(
        data=paint(request.prompt, request.seed, request.width, request.height),
        provider="procedural",
        model="procedural",
        seed=request.seed,
        cost_usd=0.0,
        dropped_params=tuple(dropped),
        is_svg=True,
    )
