"""What scenes are made of: skylines, mountains, trees, sky, mist, water, birds."""

import math
import random
from collections.abc import Iterator, Sequence

from imagetrail.models.painter.canvas import (
    CELLS,
    SPAN,
    STEP,
    WHITE,
    Canvas,
    Lab,
    Point,
    box,
    css,
    lch,
    mix,
    outline,
)

CLIFF = ((0.8, 1.3), (0.15, 0.85), (0.3, 0.6), (0.05, 0.3))
BARCHAN = tuple(
    (t**2.4, math.sin(t / 2 * math.pi) ** 0.7 + 1.3 * math.sin(t * math.pi)) for t in (1 - k / 12 for k in range(1, 12))
)
MARIA = ((-0.3, -0.2, 0.22), (0.25, 0.3, 0.28), (0.32, -0.35, 0.14), (-0.2, 0.42, 0.12))


def crags(rng: random.Random, roughness: float) -> list[float]:
    """Midpoint displacement: 513 heights, about -1..1."""
    heights = [0.0] * (CELLS + 1)
    size, scale = CELLS, 1.0
    while size > 1:
        half = size // 2
        for i in range(half, CELLS, size):
            heights[i] = (heights[i - half] + heights[i + half]) / 2 + rng.uniform(-scale, scale)
        size, scale = half, scale * (roughness if size <= CELLS // 4 else 0.85)
    return heights


def swells(rng: random.Random, length: float) -> list[float]:
    """A few sines: 513 heights, about -1..1; `length` is the longest wave in units."""
    waves = [(k, rng.uniform(0.8, 1.2) * length / k**1.3, rng.uniform(0, math.tau)) for k in (1, 2, 3)]
    return [
        sum(math.sin(i * STEP / wave * math.tau + phase) / k for k, wave, phase in waves) / 1.6
        for i in range(CELLS + 1)
    ]


def profile(c: Canvas, heights: Sequence[float], base: float, relief: float) -> list[Point]:
    """The visible skyline: points around `base`, up to `relief` above it."""
    points = ((i * STEP - SPAN / 2, base - h * relief) for i, h in enumerate(heights))
    return [(x, y) for x, y in points if c.visible(x, 2 * STEP)]


def land(c: Canvas, points: Sequence[Point], paint: str, alpha: float = 1) -> None:
    c.path(outline([(points[0][0], c.height), *points, (points[-1][0], c.height)]), paint, alpha)


def slopes(line: Sequence[Point], wide: int) -> Iterator[Sequence[Point]]:
    """Every summit of a skyline with what falls away behind it, down to the next rise."""
    for i in range(wide, len(line) - wide):
        if line[i][1] <= min(y for _, y in line[i - wide : i + wide + 1]):
            j = i + 1
            while j + wide // 2 < len(line) and line[j + wide // 2][1] > line[j][1]:
                j += 1
            yield line[i : j + 1]


def shade(c: Canvas, points: Sequence[Point], colour: Lab, sun: float, spur: Sequence[Point], foot: float) -> None:
    """Darken the slopes that look away from the light, down a spur drawn in units of the slope."""
    for slope in slopes(points[:: 1 if sun < 0 else -1], 12):
        (x, y), (far, low) = slope[0], slope[-1]
        edge = [(x + (far - x) * u, y + (low - y) * v) for u, v in spur]
        c.path(outline([*slope, *edge]), c.fade(y, y + (low - y) * foot, [colour, colour], (0.9, 0)))


def dots(c: Canvas, count: int, bottom: float, colour: Lab, sizes: Sequence[float], alpha: float) -> None:
    """Stars or snow."""
    places = [(c.rng.uniform(-SPAN, SPAN) / 2, c.rng.random() ** 1.3 * bottom) for _ in range(count)]
    for k, size in enumerate(sizes):
        spots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places[k :: len(sizes)] if c.visible(x))
        c.stroke(spots, colour, size, alpha * (1 - k / len(sizes) / 2))


def aurora(c: Canvas, horizon: float) -> None:
    phase, lean = c.rng.uniform(0, math.tau), c.rng.uniform(0.6, 1.4)
    green, violet = lch(85, 19, 155), lch(60, 17, 310)
    stops = [(0, violet, 0), (0.45, violet, 0.3), (0.8, green, 0.75), (1, green, 0)]
    ray = c.gradient("linear", stops, 'x2="0" y2="1"')
    for i in range(160):
        x = (i - 80) * 10
        foot = horizon * (0.55 + 0.14 * math.sin(x / 190 * lean + phase) + 0.06 * math.sin(x / 61 + phase))
        tall = horizon * (0.3 + 0.14 * math.sin(x / 97 + 2 * phase) + c.rng.uniform(0, 0.09))
        c.ellipse(x, foot - tall / 2, 13, tall / 2, ray, 0.25 + 0.2 * math.sin(x / 150 + phase))


def heavens(c: Canvas, horizon: float) -> Point:
    """Sky, stars, the sun or moon in its glow, and clouds. Where the light stands."""
    rng, dark = c.rng, c.dark
    c.band(0, c.height, c.fade(0, horizon, [c.zenith, mix(c.zenith, c.sky, 0.6), c.sky, c.haze]))
    x = rng.choice((-1, 1)) * rng.uniform(0.08, 0.3) * c.width
    y = horizon * (rng.uniform(0.28, 0.5) if dark else rng.uniform(0.45, 0.78))
    size = rng.uniform(28, 44) if dark else rng.uniform(44, 74)
    if dark:
        dots(c, 420, horizon * 0.9, mix(c.light, WHITE, 0.5), (2.8, 1.8, 1.4, 1.0), 0.9)
        if rng.random() < 0.3 or "aurora" in c.tone:
            aurora(c, horizon)
    c.ellipse(x, y, size * 9, size * 8, c.glow(mix(c.light, c.haze, 0.5), 0.55))
    c.ellipse(x, y, size * 3, size * 3, c.glow(c.light, 0.6))
    disc = c.fade(y - size, y + size, [mix(c.light, WHITE, 0.5), mix(c.light, c.haze, 0.25)])
    c.ellipse(x, y, size, size, disc)
    for u, v, r in MARIA if dark else ():
        c.ellipse(x + u * size, y + v * size, r * size, r * size, css(c.sky), 0.13)
    vapour = c.glow(mix(c.haze, WHITE, 0.35), 0.3 if dark else 0.8)
    for _ in range(7):
        u, v, length = rng.uniform(-SPAN, SPAN) / 2, rng.uniform(0.12, 0.85), rng.uniform(120, 300)
        flat = length * (0.13 - 0.07 * v)
        for k in range(4):
            puff = u + rng.uniform(-0.7, 0.7) * length, v * horizon + rng.uniform(-0.5, 0.5) * flat
            radii = length * rng.uniform(0.5, 1), flat * rng.uniform(0.6, 1.2)
            c.ellipse(*puff, *radii, vapour, 0.2 + 0.1 * k)
    return x, y


def mist(c: Canvas, y: float, alpha: float) -> None:
    vapour = c.glow(mix(c.haze, c.light, 0.3), alpha)
    for _ in range(3):
        c.ellipse(c.rng.uniform(-SPAN, SPAN) / 2.4, y, c.rng.uniform(350, 700), c.rng.uniform(30, 60), vapour)


def birds(c: Canvas, x: float, y: float) -> None:
    flock = ""
    for _ in range(c.rng.randint(4, 8)):
        u, v, s = x + c.rng.uniform(-80, 80), y + c.rng.uniform(-35, 35), c.rng.uniform(5, 10)
        flock += f"M{u - s:.1f} {v - s * 0.4:.1f}q{s * 0.6:.1f} {-s * 0.3:.1f} {s:.1f} {s * 0.5:.1f}"
        flock += f"q{s * 0.4:.1f} {-s * 0.8:.1f} {s:.1f} {-s * 0.5:.1f}"
    c.stroke(flock, c.near, 1.7, 0.75)


def grove(c: Canvas, heights: Sequence[float], base: float, relief: float, count: int, tall: float, paint: str) -> None:
    """Ragged spruces on a skyline."""
    trees = ""
    for _ in range(count):
        at, size = c.rng.uniform(0, CELLS), tall * c.rng.uniform(0.45, 1) ** 1.2
        x, y = at * STEP - SPAN / 2, base + 2 - heights[int(at)] * relief
        left: list[Point] = []
        right: list[Point] = []
        for k in range(1, 10):
            reach, tier = size * 0.2 * (k / 9) ** 0.85, y - size * (1 - k / 9 * 0.94)
            for boughs, side in ((left, -1), (right, 1)):
                boughs.append((x + side * reach * c.rng.uniform(0.75, 1.1), tier))
                boughs.append((x + side * reach * 0.45, tier - size / 80))
        if c.visible(x, size):
            trunk = (x - size / 60, y + size / 9), (x + size / 60, y + size / 9)
            trees += outline([(x, y - size), *left, *trunk, *right[::-1]])
    c.path(trees, paint)


def ranges(c: Canvas, horizon: float, floor: float, sun: float, layers: int) -> None:
    """Mountains from far to near, shaded slopes, mist in the valleys, trees on what is close."""
    for k in range(layers):
        t = k / (layers - 1)
        base, relief = horizon + (floor - horizon) * t**1.1, (130 - 70 * t) * math.sqrt(c.height / 1000)
        heights = crags(c.rng, 0.5 if t < 0.7 else 0.45)
        colour = mix(c.far, c.near, t**1.15)
        points = profile(c, heights, base, relief)
        valley = mix(colour, c.haze, 0.5 * (1 - t))
        land(c, points, c.fade(base - relief, base + relief * 1.6, [colour, valley]))
        if t < 0.8:
            shade(c, points, mix(colour, c.near, 0.3), sun, CLIFF, 1.3)
        if t > 0.6:
            grove(c, heights, base, relief, 90, 26 + 60 * (t - 0.6), css(mix(colour, c.near, 0.5)))
        mist(c, base + relief * 0.4, 0.5 * (1 - t))


def reflect(c: Canvas, shore: float) -> None:
    """Mirror everything painted so far below the shore, under tinted water."""
    scene = "".join(c.shapes)
    c.defs.append(f'<clipPath id="water"><path d="{box(-900, shore, 1800, 2000)}"/></clipPath>')
    mirror = f'<use href="#scene" transform="matrix(1 0 0 -1 0 {2 * shore:.1f})"/>'
    c.shapes = [f'<g id="scene">{scene}</g><g clip-path="url(#water)">{mirror}</g>']
    tints = [mix(c.sky, c.near, 0.4), mix(c.zenith, c.near, 0.6)]
    c.band(shore, c.height, c.fade(shore, c.height, tints, (0.25, 0.8)))


def ripples(c: Canvas, top: float, sun: float, glitter: float) -> None:
    """Strokes on the water, longer towards the viewer, and the light's path over them."""
    kinds = (c.haze, 90, SPAN, 0.3), (c.near, 60, SPAN, 0.18), (c.light, 190, 0, glitter)
    for colour, count, spread, alpha in kinds:
        strokes = ""
        for _ in range(count):
            t = c.rng.random() ** 1.6
            x = c.rng.uniform(-spread, spread) / 2 if spread else sun + c.rng.gauss(0, 1) * (12 + 70 * t)
            y, half = top + 3 + t * (c.height - top), (10 + 60 * t) * c.rng.uniform(0.4, 1.3)
            thick = 0.6 + 2.6 * t
            if c.visible(x, half):
                strokes += f"M{x - half:.1f} {y:.1f}q{half:.1f} {-thick:.1f} {2 * half:.1f} 0"
                strokes += f"q{-half:.1f} {thick:.1f} {-2 * half:.1f} 0Z"
        c.path(strokes, css(colour), alpha)
