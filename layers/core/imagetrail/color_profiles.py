"""ICC profiles: which pixels one fits, and one made from the chunks by which a PNG names its colors without a profile.

Sources: ICC.1:2001-04 (matrix and curve profiles), PNG third edition sections 11.3.2 and 13.13, ITU-T H.273 (cICP),
ITU-R BT.2100 and BT.2408 (PQ and HLG, whose diffuse white of 203 cd/m2 becomes sRGB white; what is brighter clips).
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence

MAX_BYTES = 4_000_000  # of a profile; the largest ones in use, for offset printing, have 3 MB

Vector = tuple[float, float, float]
Transfer = Callable[[float], float]

_INPUT_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_SPACES = {b"GRAY": "gray", b"RGB ": "rgb", b"CMYK": "cmyk"}
_D65 = (0.3127, 0.3290)
_SRGB_PRIMARIES = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # white, red, green, blue
_PRIMARIES: dict[int, tuple[float, ...]] = {
    1: _SRGB_PRIMARIES,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_BRADFORD_INVERSE = (
    (0.9869929, -0.1470543, 0.1599627),
    (0.4323053, 0.5183603, 0.0492912),
    (-0.0085287, 0.0400428, 0.9684867),
)
_D50: Vector = (0.9642, 1.0, 0.8249)
_CURVE_POINTS = 4096
_SRGB_GAMMA, _GAMMA_TOLERANCE = 45_455, 0.05  # of gAMA, in which 1/2.2 stands for the curve of sRGB
_GAMMAS = range(10_000, 500_001)
_WHITE_NITS = 203


def color_space(profile: bytes) -> str:
    """The pixels a profile fits, "gray", "rgb" or "cmyk"; "" if it is no profile that pixels can have."""
    if len(profile) > MAX_BYTES or profile[36:40] != b"acsp" or profile[12:16] not in _INPUT_CLASSES:
        return ""
    return _SPACES.get(profile[16:20], "")


def from_png(chunks: Mapping[bytes, bytes]) -> bytes:
    """The profile that a PNG's chunks describe, in the order of precedence of the standard; b"" means sRGB.

    `chunks` holds the data of cICP, iCCP (already inflated), sRGB, gAMA and cHRM. What is not valid is passed over.
    """
    code_points = tuple(chunks.get(b"cICP", b""))
    if (
        len(code_points) == 4
        and code_points[0] in _PRIMARIES
        and code_points[1] in _TRANSFERS
        and code_points[2:] == (0, 1)
    ):
        return matrix_profile(_PRIMARIES[code_points[0]], _TRANSFERS[code_points[1]])
    if color_space(chunks.get(b"iCCP", b"")):
        return chunks[b"iCCP"]
    if b"sRGB" in chunks or not {b"gAMA", b"cHRM"} & chunks.keys():
        return b""
    primaries: Sequence[float] = _SRGB_PRIMARIES
    transfer: Transfer = _srgb
    if len(chunks.get(b"cHRM", b"")) == 32:
        primaries = [value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"])]
    if len(chunks.get(b"gAMA", b"")) == 4:
        gamma = int.from_bytes(chunks[b"gAMA"])
        if gamma in _GAMMAS and abs(gamma / _SRGB_GAMMA - 1) > _GAMMA_TOLERANCE:
            transfer = _power(100_000 / gamma)
    try:
        return matrix_profile(primaries, transfer)
    except (ArithmeticError, struct.error):
        return b""


def matrix_profile(primaries: Sequence[float], transfer: Transfer) -> bytes:
    """A display profile from the chromaticities x, y of white, red, green and blue, and the curve to linear light.

    Raises ArithmeticError or struct.error for chromaticities that are none.
    """
    white, *corners = (_xyz(x, y) for x, y in zip(primaries[::2], primaries[1::2], strict=True))
    whole = _determinant(*corners)
    scales = [
        _determinant(*(white if n == place else corner for n, corner in enumerate(corners))) / whole
        for place in range(3)
    ]
    cones = [_product(_BRADFORD, _D50)[n] / _product(_BRADFORD, white)[n] for n in range(3)]
    columns = []
    for scale, corner in zip(scales, corners, strict=True):
        adapted = [cone * ratio * scale for cone, ratio in zip(_product(_BRADFORD, corner), cones, strict=True)]
        columns.append(_product(_BRADFORD_INVERSE, adapted))
    points = [round(65_535 * min(max(transfer(n / (_CURVE_POINTS - 1)), 0), 1)) for n in range(_CURVE_POINTS)]
    curve = b"curv" + struct.pack(f">II{_CURVE_POINTS}H", 0, _CURVE_POINTS, *points)
    blocks = [b"XYZ " + struct.pack(">I3i", 0, *(round(v * 65_536) for v in column)) for column in (_D50, *columns)]
    tags, at = b"", 128 + 4 + 12 * 7
    for name, block in zip((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ"), blocks, strict=True):
        tags += name + struct.pack(">II", at, len(block))
        at += len(block)
    tags += b"".join(name + struct.pack(">II", at, len(curve)) for name in (b"rTRC", b"gTRC", b"bTRC"))
    body = struct.pack(">I", 7) + tags + b"".join(blocks) + curve
    head = struct.pack(">I4xI", 128 + len(body), 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    return head + struct.pack(">3i", *(round(v * 65_536) for v in _D50)) + bytes(48) + body


def _xyz(x: float, y: float) -> Vector:
    return x / y, 1.0, (1 - x - y) / y


def _determinant(a: Vector, b: Vector, c: Vector) -> float:
    return a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])


def _product(matrix: Sequence[Vector], vector: Sequence[float]) -> Vector:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def _power(exponent: float) -> Transfer:
    return lambda value: value**exponent


def _srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _bt709(value: float) -> float:
    return value / 4.5 if value < 0.081 else ((value + 0.099) / 1.099) ** (1 / 0.45)


def _pq(value: float) -> float:
    power = value ** (32 / 2523)
    linear = max(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)
    return float(10_000 / _WHITE_NITS * linear ** (8192 / 1305))


def _hlg(value: float) -> float:
    scene = value * value / 3 if value <= 0.5 else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000 / _WHITE_NITS * scene**1.2)


_TRANSFERS: dict[int, Transfer] = {
    1: _bt709,
    4: _power(2.2),
    5: _power(2.8),
    6: _bt709,
    8: _power(1),
    13: _srgb,
    14: _bt709,
    15: _bt709,
    16: _pq,
    18: _hlg,
}
