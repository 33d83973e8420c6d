"""SVG in the making: OKLab colours, gradients and shapes on a canvas of 1000 x 1000 world units.

x is 0 in the middle, y is 0 at the top. OKLab (Ottosson 2020) keeps the brightness of a mixture even.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Lab = tuple[float, float, float]
Point = tuple[float, float]

SPAN = 1600.0  # wider than 21:9, the widest view at 1528 units
CELLS = 512
STEP = SPAN / CELLS
WHITE, BLACK = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)


def lch(lightness: float, chroma: float, hue: float) -> Lab:
    """OKLCH (percent, percent, degrees) as OKLab."""
    angle = math.radians(hue)
    return lightness / 100, chroma / 100 * math.cos(angle), chroma / 100 * math.sin(angle)


def mix(a: Lab, b: Lab, t: float) -> Lab:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def css(colour: Lab) -> str:
    """The nearest sRGB colour as #rrggbb; the matrices are Ottosson's."""
    lightness, a, b = colour
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3  # noqa: E741
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )
    srgb = (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear)
    return "#" + "".join(f"{min(max(round(v * 255), 0), 255):02x}" for v in srgb)


@dataclass(slots=True)
class Canvas:
    """An SVG document in the making, its palette and its random numbers."""

    width: float
    height: float
    rng: random.Random
    tone: str
    zenith: Lab
    sky: Lab
    haze: Lab
    light: Lab
    far: Lab
    near: Lab
    defs: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)

    @property
    def dark(self) -> bool:
        """Whether stars are out."""
        return self.zenith[0] < 0.35

    def gradient(self, kind: str, stops: Iterable[tuple[float, Lab, float]], extent: str = "") -> str:
        """A paint of (offset, colour, opacity) stops; without an extent it fills its shape's box."""
        body = "".join(
            f'<stop offset="{at:.3f}" stop-color="{css(colour)}" stop-opacity="{alpha:.3f}"/>'
            for at, colour, alpha in stops
        )
        self.defs.append(f'<{kind}Gradient id="g{len(self.defs)}" {extent}>{body}</{kind}Gradient>')
        return f"url(#g{len(self.defs) - 1})"

    def fade(self, top: float, bottom: float, colours: Sequence[Lab], alphas: Point = (1, 1)) -> str:
        """A vertical gradient between two heights through evenly spaced colours."""
        stops = []
        for i in range(13):
            at = i / 12 * (len(colours) - 1)
            k = min(int(at), len(colours) - 2)
            alpha = alphas[0] + (alphas[1] - alphas[0]) * i / 12
            stops.append((i / 12, mix(colours[k], colours[k + 1], at - k), alpha))
        extent = f'gradientUnits="userSpaceOnUse" x1="0" x2="0" y1="{top:.1f}" y2="{bottom:.1f}"'
        return self.gradient("linear", stops, extent)

    def glow(self, colour: Lab, alpha: float) -> str:
        """A paint that falls off from the middle of its shape like light in haze."""
        return self.gradient("radial", [(i / 10, colour, alpha * (1 - i / 10) ** 2.3) for i in range(11)])

    def path(self, outline: str, paint: str, alpha: float = 1) -> None:
        if outline:
            self.shapes.append(f'<path d="{outline}" fill="{paint}" fill-opacity="{alpha:.3f}"/>')

    def stroke(self, outline: str, colour: Lab, width: float, alpha: float) -> None:
        if outline:
            self.shapes.append(
                f'<path d="{outline}" fill="none" stroke="{css(colour)}" stroke-width="{width:.1f}" '
                f'stroke-opacity="{alpha:.3f}" stroke-linecap="round"/>'
            )

    def ellipse(self, x: float, y: float, rx: float, ry: float, paint: str, alpha: float = 1) -> None:
        if self.visible(x, rx):
            self.shapes.append(
                f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" '
                f'fill="{paint}" fill-opacity="{alpha:.3f}"/>'
            )

    def band(self, top: float, bottom: float, paint: str) -> None:
        self.path(box(-self.width / 2, top, self.width, bottom - top), paint)

    def visible(self, x: float, margin: float = 0) -> bool:
        return abs(x) <= self.width / 2 + margin


def outline(points: Iterable[Point]) -> str:
    body = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{body}Z" if body else ""


def box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}Z"
