"""The full prompt: what is really sent to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def full_prompt(prompt: str, style: str | None, dataset: Mapping[str, Any] | None) -> str:
    """`Brand: {brand}. Vibe: {vibe}. UNIQUE ELEMENTS: {a, b}. {prompt}. Style: {style}.`, without what is absent."""
    parts = []
    if dataset is not None:
        elements = ", ".join(dataset.get("unique_visual_elements") or ())
        for label, text in (
            ("Brand", dataset.get("brand")),
            ("Vibe", dataset.get("vibe")),
            ("UNIQUE ELEMENTS", elements),
        ):
            if text:
                parts.append(f"{label}: {text.removesuffix('.')}.")
    parts.append(prompt if not style or prompt.endswith((".", "!", "?", "…", "。")) else f"{prompt}.")
    if style:
        parts.append(f"Style: {style.removesuffix('.')}.")
    return " ".join(parts)
