"""The full prompt, and the size in pixels that goes with it."""

import itertools
from typing import Any, get_args

import pytest

from imagetrail.fitting import dimensions
from imagetrail.prompting import full_prompt
from imagetrail.schemas import AspectRatio, Resolution

COFFEE = {
    "brand": "Coffee Co.",
    "vibe": "cozy",
    "unique_visual_elements": ["wooden tables", "pendant lights", "brick walls"],
}
COFFEE_PARTS = "Brand: Coffee Co. Vibe: cozy. UNIQUE ELEMENTS: wooden tables, pendant lights, brick walls."
PROMPT = "A modern coffee shop interior"


@pytest.mark.parametrize(
    ("style", "dataset", "expected"),
    [
        (None, None, PROMPT),
        ("oil", None, f"{PROMPT}. Style: oil."),
        (
            None,
            COFFEE,
            f"{COFFEE_PARTS} {PROMPT}",
        ),
        (
            "photorealistic",
            COFFEE,
            f"{COFFEE_PARTS} {PROMPT}. Style: photorealistic.",
        ),
        (None, {"brand": "Acme"}, f"Brand: Acme. {PROMPT}"),
        (None, {"vibe": "calm."}, f"Vibe: calm. {PROMPT}"),
        (None, {"unique_visual_elements": ["oak"]}, f"UNIQUE ELEMENTS: oak. {PROMPT}"),
        (None, {"brand": None, "vibe": None, "unique_visual_elements": []}, PROMPT),
        (None, {}, PROMPT),
        ("oil.", {"brand": "Acme", "unique_visual_elements": None}, f"Brand: Acme. {PROMPT}. Style: oil."),
    ],
)
def test_the_full_prompt_is_composed_in_order_and_leaves_out_what_is_absent(
    style: str | None, dataset: dict[str, Any] | None, expected: str
) -> None:
    assert full_prompt(PROMPT, style, dataset) == expected


@pytest.mark.parametrize("end", [".", "!", "?", "…", "。"])
def test_a_sentence_is_not_ended_twice(end: str) -> None:
    assert full_prompt(f"A fox{end}", "oil", None) == f"A fox{end} Style: oil."


@pytest.mark.parametrize(
    "prompt", ["", " two  spaces ", "{brand} %s \\n", "🦊" * 10_000, "line\nbreak", "Style: none."]
)
def test_the_prompt_itself_is_never_changed(prompt: str) -> None:
    assert full_prompt(prompt, None, None) == prompt
    assert prompt in full_prompt(prompt, "oil", COFFEE)


@pytest.mark.parametrize(
    ("ratio", "size"),
    {
        "1:1": (1024, 1024),
        "16:9": (1024, 576),
        "9:16": (576, 1024),
        "4:3": (1024, 768),
        "3:4": (768, 1024),
        "3:2": (1024, 683),
        "2:3": (683, 1024),
        "4:5": (819, 1024),
        "5:4": (1024, 819),
        "21:9": (1024, 439),
        "9:21": (439, 1024),
    }.items(),
)
def test_the_size_of_every_aspect_ratio(ratio: str, size: tuple[int, int]) -> None:
    assert dimensions(ratio, "1K") == size


@pytest.mark.parametrize(("ratio", "resolution"), [*itertools.product(get_args(AspectRatio), get_args(Resolution))])
def test_the_longer_side_is_that_of_the_resolution(ratio: str, resolution: str) -> None:
    across, down = (int(part) for part in ratio.split(":"))
    width, height = dimensions(ratio, resolution)
    assert max(width, height) == {"1K": 1024, "2K": 2048, "4K": 4096}[resolution]
    assert abs(width * down - height * across) <= max(across, down) / 2
    assert dimensions(f"{down}:{across}", resolution) == (height, width)
