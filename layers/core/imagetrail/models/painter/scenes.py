"""The scenes of the procedural painter, and the choice among them.

The prompt picks the scene and the palette, by word where a word is plain and by digest elsewhere; the seed varies
the picture within them. Nothing of the prompt's text reaches the document.
"""

import hashlib
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence

from imagetrail.models.painter.canvas import (
    BLACK,
    CELLS,
    SPAN,
    STEP,
    WHITE,
    Canvas,
    box,
    css,
    lch,
    mix,
    outline,
)
from imagetrail.models.painter.scenery import (
    BARCHAN,
    CLIFF,
    birds,
    crags,
    dots,
    grove,
    heavens,
    land,
    mist,
    profile,
    ranges,
    reflect,
    ripples,
    shade,
    swells,
)

# Words that ask for it: zenith, mid sky, horizon haze, light, far land, near land, in OKLCH (%, %, degrees)
PALETTES = {
    "dawn sunrise morning spring blossom pastel pink rose soft": (
        (63, 8, 285), (80, 8, 15), (93, 7, 75), (98, 5, 90), (79, 7, 15), (30, 7, 300)),
    "day noon sunny bright summer blue clear fresh": (
        (62, 11, 245), (81, 8, 228), (95, 3, 100), (99, 3, 100), (79, 6, 225), (33, 7, 190)),
    "sunset golden evening warm autumn fall orange": (
        (42, 11, 305), (68, 16, 32), (89, 13, 80), (97, 8, 95), (70, 13, 40), (21, 7, 330)),
    "dusk twilight purple violet neon cyberpunk dream": (
        (27, 10, 280), (50, 13, 335), (80, 12, 50), (95, 6, 80), (54, 11, 345), (16, 6, 290)),
    "aurora northern borealis polar": (
        (14, 5, 265), (27, 7, 225), (54, 8, 190), (96, 3, 110), (42, 6, 215), (11, 3, 230)),
    "night midnight moon moonlit dark star starry": (
        (16, 6, 272), (30, 8, 262), (54, 8, 235), (96, 3, 95), (44, 7, 248), (11, 3, 265)),
    "snow snowy winter ice icy frost cold white glacier arctic christmas": (
        (73, 6, 250), (87, 3, 250), (97, 2, 60), (99, 2, 90), (88, 3, 245), (42, 6, 255)),
    "mist misty fog foggy rain rainy green calm jungle": (
        (74, 5, 190), (86, 4, 165), (95, 3, 110), (99, 3, 105), (84, 4, 165), (26, 5, 180)),
    "fire lava mars canyon red hot earth": (
        (66, 9, 215), (85, 5, 110), (94, 7, 80), (99, 5, 95), (84, 9, 60), (40, 12, 35)),
}  # fmt: skip


def mountains(c: Canvas) -> None:
    horizon = c.height * c.rng.uniform(0.46, 0.56)
    sun, _ = heavens(c, horizon)
    ranges(c, horizon, c.height * 0.97, sun, 6)
    birds(c, -sun * 0.6, horizon * 0.5)


def lake(c: Canvas) -> None:
    shore = c.height * c.rng.uniform(0.56, 0.62)
    sun, _ = heavens(c, shore - 40)
    ranges(c, shore - 90, shore - 12, sun, 4)
    reflect(c, shore)
    ripples(c, shore, sun, 0.55)
    mist(c, shore, 0.5)


def dunes(c: Canvas) -> None:
    horizon = c.height * c.rng.uniform(0.5, 0.6)
    sun, _ = heavens(c, horizon)
    sand = mix(c.near, lch(58, 12, 55), 0.5)
    for k in range(5):
        t = k / 4
        base, relief = horizon + (c.height * 0.95 - horizon) * t**1.2, 36 + 70 * t
        crests = [0.9 - abs(h) ** 1.2 * 1.7 for h in swells(c.rng, 1100 + 900 * t)]
        points = profile(c, crests, base, relief)
        lit = mix(mix(c.far, c.haze, 0.35), mix(sand, c.light, 0.45), t)
        land(c, points, c.fade(base - relief, base + relief * 2, [lit, mix(lit, sand, 0.35 + 0.5 * t)]))
        shade(c, points, mix(lit, mix(sand, c.near, 0.7), 0.6 + 0.3 * t), sun, BARCHAN, 3.4)
        mist(c, base + relief, 0.25 * (1 - t))
    birds(c, -sun * 0.6, horizon * 0.5)


def ocean(c: Canvas) -> None:
    horizon = c.height * c.rng.uniform(0.5, 0.6)
    sun, _ = heavens(c, horizon)
    offshore = -1 if sun > 0 else 1
    for t in (0.25, 0.6):
        rise = [1.3 * math.tanh((i - CELLS / 2) * STEP / 190 * offshore - 1.1) for i in range(CELLS + 1)]
        cape = [h * 0.5 + r + 0.2 for h, r in zip(crags(c.rng, 0.5), rise, strict=True)]
        land(c, profile(c, cape, horizon, 150 - 130 * t), css(mix(c.far, c.near, t)))
    deep = mix(c.zenith, c.near, 0.5)
    tints = [mix(c.haze, deep, 0.35), mix(c.sky, deep, 0.6), deep]
    c.band(horizon, c.height, c.fade(horizon, c.height, tints))
    c.ellipse(sun, horizon, 300, 50, c.glow(c.light, 0.5))
    for k in range(7):
        t = (k + 1) / 7
        base = horizon + (c.height - horizon) * t**1.4 * 0.93
        crests = [1 - 2 * abs(h) for h in swells(c.rng, 190 + 420 * t)]
        points = profile(c, crests, base, 2 + 15 * t)
        body = mix(mix(c.sky, deep, 0.35 + 0.3 * t), c.near, 0.3 * t)
        land(c, [(x, y - 1 - 2.5 * t) for x, y in points], css(mix(body, c.light, 0.5)), 0.4)
        land(c, points, c.fade(base - 20, base + 40 + 90 * t, [mix(body, c.haze, 0.3), body]))
    ripples(c, horizon, sun, 0.6)
    x, y, s = -sun * c.rng.uniform(0.3, 0.8), horizon + 14, c.rng.uniform(26, 38)
    main, jib = ((0, -1.7), (0.5, -0.9), (0.7, -0.2), (0, -0.2)), ((-0.1, -1.4), (-0.6, -0.2), (-0.1, -0.2))
    for sail in (main, jib):
        c.path(outline((x + u * s, y + v * s) for u, v in sail), css(mix(c.light, WHITE, 0.4)), 0.95)
    hull = (-0.75, -0.1), (0.8, -0.1), (0.55, 0.12), (-0.5, 0.12)
    c.path(outline((x + u * s, y + v * s) for u, v in hull), css(c.near))
    birds(c, sun * 0.2, horizon * 0.4)


def forest(c: Canvas) -> None:
    horizon = c.height * c.rng.uniform(0.42, 0.5)
    sun, _ = heavens(c, horizon * 1.15)
    needles = mix(c.near, lch(22, 6, 160), 0.45)
    for k in range(6):
        t = k / 5
        base, heights = horizon + (c.height * 1.02 - horizon) * t**1.25, swells(c.rng, 700)
        colour = mix(c.far, needles, t**0.9)
        paint = c.fade(base - 60 - 260 * t, base + 120, [colour, mix(colour, c.haze, 0.55 * (1 - t))])
        land(c, profile(c, heights, base, 30 + 20 * t), paint)
        grove(c, heights, base, 30 + 20 * t, int(150 - 100 * t), 46 + 330 * t**1.6, paint)
        mist(c, base + 30, 0.7 * (1 - t))
    birds(c, -sun * 0.5, horizon * 0.45)


def city(c: Canvas) -> None:
    shore = c.height * c.rng.uniform(0.68, 0.76)
    sun, _ = heavens(c, shore)
    middle, lamp = c.rng.uniform(-140, 140), mix(c.light, lch(85, 13, 75), 0.6)
    for k in range(4):
        t, blocks, windows, x = k / 3, "", "", -SPAN / 2
        while x < SPAN / 2:
            wide, crown = c.rng.uniform(22, 58) * (0.7 + 0.5 * t), math.exp(-(((x - middle) / 330) ** 2))
            tall = c.rng.uniform(0.2, 0.5) + crown * c.rng.uniform(0.1, 0.9)
            tall *= (430 - 210 * t) * math.sqrt(c.height / 1000)
            roof, lamps = c.rng.random(), [c.rng.random() for _ in range(240)]
            if c.visible(x, wide):
                top = shore - tall
                blocks += box(x, top, wide, tall)
                if roof < 0.35:
                    blocks += box(x + wide * (0.15 + roof), top - 14, wide * (0.7 - 2 * roof), 15)
                if roof < 0.12:
                    blocks += box(x + wide / 2 - 1, top - tall * 0.25, 2, tall * 0.25)
                columns, rows = int((wide - 5) / 7), int((tall - 8) / 11)
                for n in range(min(columns * rows, 240)):
                    if lamps[n] < 0.36:
                        windows += box(x + 5 + 7 * (n % columns), top + 8 + 11 * (n // columns), 3, 5)
            x += wide * c.rng.uniform(0.72, 0.98)
        colour = mix(c.far, c.near, 0.1 + 0.8 * t)
        c.path(blocks, c.fade(shore - 420, shore, [colour, mix(colour, c.haze, 0.6 - 0.5 * t)]))
        c.path(windows, css(lamp), (0.75 if c.dark else 0.3) * t)
        mist(c, shore - 10, 0.45 * (1 - t))
    reflect(c, shore)
    ripples(c, shore, sun, 0.35)


def space(c: Canvas) -> None:
    c.zenith, deep = mix(c.zenith, BLACK, 0.75), mix(c.near, BLACK, 0.55)
    c.band(0, c.height, c.fade(0, c.height, [c.zenith, mix(c.zenith, deep, 0.5), mix(c.zenith, c.far, 0.35)]))
    for colour in (c.sky, c.far, c.haze, c.sky, c.far) * 2:
        x, y = c.rng.uniform(-0.55, 0.55) * c.width, c.rng.uniform(0.1, 0.8) * c.height
        c.ellipse(x, y, c.rng.uniform(200, 420), c.rng.uniform(90, 260), c.glow(colour, 0.3))
    dots(c, 900, c.height * 1.1, mix(c.light, WHITE, 0.5), (3.2, 1.8, 1.5, 1.1, 0.9), 0.95)
    side, size = c.rng.choice((-1, 1)), c.rng.uniform(130, 185) * min(1, c.width / 1000)
    x, y, tilt = side * c.width * 0.16, c.height * c.rng.uniform(0.36, 0.44), c.rng.uniform(12, 28)
    belts = [mix(mix(c.haze, c.sky, c.rng.random()), c.near, c.rng.uniform(0, 0.35)) for _ in range(11)]
    stops = [(0, deep, 0), (0.45, deep, 0.05), (0.8, deep, 0.65), (1, deep, 0.93)]
    night = c.gradient("radial", stops, f'cx="{0.5 - side * 0.24:.2f}" cy="0.3" r="0.8"')
    c.ellipse(x, y, size * 1.9, size * 1.9, c.glow(c.sky, 0.45))
    rings = [(1.45, 16, c.haze, 0.5), (1.66, 22, c.light, 0.4), (1.86, 7, c.sky, 0.6)]
    for sweep in (1, 0):
        c.shapes.append(f'<g transform="rotate({-side * tilt:.1f} {x:.1f} {y:.1f})">')
        if not sweep:
            c.ellipse(x, y, size, size, c.fade(y - size, y + size, belts))
            c.ellipse(x, y, size, size, night)
        for reach, weight, colour, alpha in rings:
            r = size * reach
            arc = f"M{x - r:.1f} {y:.1f}A{r:.1f} {r * 0.2:.1f} 0 0 {sweep} {x + r:.1f} {y:.1f}"
            c.stroke(arc, colour, weight * size / 160, alpha)
        c.shapes.append("</g>")
    u, v, s = -side * c.width * 0.28, y * c.rng.uniform(0.4, 1.5), c.rng.uniform(20, 38)
    c.ellipse(u, v, s, s, css(mix(c.light, c.far, 0.4)))
    c.ellipse(u, v, s, s, night)
    for t in (0.15, 0.55, 1.0):
        base, ground = c.height * (0.8 + 0.14 * t), mix(mix(c.far, deep, 0.45), deep, t)
        points = profile(c, crags(c.rng, 0.42), base, 48)
        land(c, points, c.fade(base - 50, base + 90, [mix(ground, c.sky, 0.12), ground]))
        shade(c, points, deep, -side, CLIFF, 1.3)


def strata(c: Canvas) -> None:
    """Cut paper: bands of colour, each throwing a soft shadow on the one behind."""
    heavens(c, c.height * 0.55)
    for k in range(9):
        t = k / 8
        base = c.height * (0.34 + 0.64 * t)
        colour = mix(mix(c.haze, c.sky, min(1, t * 2.5)), mix(c.far, c.near, t), t)
        points = profile(c, swells(c.rng, c.rng.uniform(480, 1000)), base, c.rng.uniform(28, 64))[::2]
        for lift in (3, 7, 12, 18):
            c.path(outline([*((x, y - lift) for x, y in points), *points[::-1]]), css(c.near), 0.06)
        land(c, points, c.fade(base - 60, base + 160, [mix(colour, WHITE, 0.12), colour]))


SCENES: dict[str, Callable[[Canvas], None]] = {
    "mountain mountains alps peak summit valley hill cliff canyon volcano glacier": mountains,
    "lake river pond fjord reflection canoe bridge": lake,
    "desert dune sand sahara camel pyramid oasis": dunes,
    "ocean sea beach wave coast island sail sailing boat ship harbour harbor lighthouse whale surf": ocean,
    "forest tree wood woods pine jungle garden park fox deer bear cabin leaf": forest,
    "city skyline urban street building tower neon tokyo york cyberpunk office architecture": city,
    "space planet galaxy cosmos cosmic rocket astronaut mars alien universe nebula": space,
    "abstract pattern geometric minimal minimalist logo texture paper wallpaper wave": strata,
}


def pick(table: Iterable[str], words: Sequence[str], fallback: str) -> str:
    """The entry the first telling word of a prompt asks for."""
    forms = ({word, word.removesuffix("s")} for word in words)
    return next((entry for form in forms for entry in table if form & set(entry.split())), fallback)


def paint(prompt: str, seed: int, width: int, height: int) -> bytes:
    """An SVG document (UTF-8) of `width` x `height` pixels; equal arguments give equal bytes."""
    theme = random.Random(hashlib.sha256(prompt.encode()).digest())  # noqa: S311
    rng = random.Random(hashlib.sha256(f"{seed} {prompt}".encode()).digest())  # noqa: S311
    words = re.findall(r"[a-z]+", prompt.lower())
    scene = pick(SCENES, words, theme.choice(list(SCENES)))
    tone = pick(PALETTES, words, theme.choice(list(PALETTES)))
    turn = theme.uniform(-14, 14) + rng.uniform(-7, 7)
    aspect = math.sqrt(width / height)
    zenith, sky, haze, light, far, near = (lch(k, chroma, hue + turn) for k, chroma, hue in PALETTES[tone])
    c = Canvas(1000 * aspect, 1000 / aspect, rng, tone, zenith, sky, haze, light, far, near)
    SCENES[scene](c)
    if "snow" in c.tone:
        dots(c, 260, c.height * 1.05, WHITE, (6, 4.5, 3.4, 2.4), 0.75)
    c.band(0, c.height, c.gradient("radial", [(0.6, c.near, 0), (1, c.near, 0.22)], 'r="0.76"'))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{-c.width / 2:.1f} 0 {c.width:.1f} {c.height:.1f}" preserveAspectRatio="none">'
        f"<defs>{''.join(c.defs)}</defs>{''.join(c.shapes)}</svg>"
    ).encode()
