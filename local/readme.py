"""Writes the README's table of models from the code: what each does by itself, and what an image costs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from imagetrail.models import ASPECT_RATIOS, RESOLUTIONS
from imagetrail.models.catalog import ADAPTERS, Catalog
from imagetrail.models.offers import described

README = Path(__file__).parents[1] / "README.md"
_PLACE = re.compile(r"(<!-- models -->\n).*?(?=\n## )", re.DOTALL)


def models_table() -> str:
    """Markdown, a row a model."""
    rows = [
        "| model | ratios | native | styles | references | seed | negative prompt | 1K | 2K | 4K |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model in described(Catalog(",".join(ADAPTERS), _unconnected)):
        missing = [ratio for ratio in ASPECT_RATIOS if ratio not in model["aspect_ratios"]]
        cells = [
            f"`{model['name']}`",
            f"all but {', '.join(missing)}" if missing else "all",
            " ".join(model["resolutions"]),
            str(len(model["styles"])) if model["styles"] else "in the prompt",
            str(model["reference_images"] or "–"),
            "yes" if model["seed"] else "–",
            "yes" if model["negative_prompt"] else "–",
            *(f"${model['price_usd'][resolution]:.3g}" for resolution in RESOLUTIONS),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _unconnected(name: str) -> NoReturn:
    raise AssertionError(f"{name} is only described")


def written() -> str:
    """The README with the table as the code has it now."""
    return _PLACE.sub(lambda found: found[1] + models_table(), README.read_text())


if __name__ == "__main__":
    README.write_text(written())
