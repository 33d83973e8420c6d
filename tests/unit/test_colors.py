"""Colors: a profile counts by what it does, a PNG's color chunks as a profile, and a broken one as none."""

import struct
import zlib

import pytest
import pyvips

from imagetrail import pixels
from imagetrail.color_profiles import MAX_BYTES, color_space, matrix_profile
from tests.unit.pictures import chunk

SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


def srgb_curve(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


LINEAR = matrix_profile(SRGB, float)
IDENTITY = matrix_profile(SRGB, srgb_curve)
NAMED = LINEAR + b"desc GIMP built-in Linear sRGB"
GRAY_LINEAR = (
    struct.pack(">I4xI", 188, 0x02400000)
    + (b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48))
    + struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, 12)
    + (b"XYZ " + struct.pack(">I3i", 0, 63190, 65536, 54061) + b"curv" + struct.pack(">II", 0, 0))
)


def flat(*values: int, wide: bool = False) -> pyvips.Image:
    """A picture of one color, of 8 bits per sample, or 16 if it is wide."""
    factor = 257 if wide else 1
    kind = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}[len(values)]
    kind = {"b-w": "grey16", "srgb": "rgb16"}[kind] if wide else kind
    image = pyvips.Image.black(64, 64, bands=len(values)).linear(1, [value * factor for value in values])
    return image.cast("ushort" if wide else "uchar").copy(interpretation=kind)


def with_profile(image: pyvips.Image, profile: bytes, suffix: str = ".png") -> bytes:
    tagged = image.copy()
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return bytes(tagged.write_to_buffer(suffix, **({"lossless": True} if suffix == ".webp" else {})))


def with_chunks(image: pyvips.Image, **chunks: bytes) -> bytes:
    plain = bytes(image.pngsave_buffer(keep="none"))
    return plain[:33] + b"".join(chunk(kind.encode(), data) for kind, data in chunks.items()) + plain[33:]


def shown(source: bytes) -> list[float]:
    made = pyvips.Image.new_from_buffer(pixels.encode(source, 64, 64, "png").data, "")
    assert made.format == "uchar"
    return list(made(5, 5))


@pytest.mark.parametrize("wide", [False, True], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize(
    "values", [(55,), (55, 128), (55, 55, 55), (55, 55, 55, 128)], ids=["gray", "gray a", "rgb", "rgba"]
)
@pytest.mark.parametrize("profile", [LINEAR, NAMED], ids=["unnamed", "sRGB by name"])
def test_a_linear_profile_is_applied_to_every_number_of_bands(
    values: tuple[int, ...], profile: bytes, wide: bool
) -> None:
    alpha = [128.0] if len(values) in (2, 4) else []
    assert shown(png_profile(flat(*values, wide=wide), profile)) == pytest.approx([128, 128, 128, *alpha], abs=1)


def png_profile(image: pyvips.Image, profile: bytes) -> bytes:
    return with_chunks(image, iCCP=b"x\0\0" + zlib.compress(profile))


@pytest.mark.parametrize("values", [(55,), (55, 128)])
def test_a_gray_profile_is_applied_to_gray(values: tuple[int, ...]) -> None:
    assert color_space(GRAY_LINEAR) == "gray"
    assert shown(png_profile(flat(*values), GRAY_LINEAR))[:3] == pytest.approx([128, 128, 128], abs=1)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_profiles_are_found_in_every_container(suffix: str) -> None:
    assert shown(with_profile(flat(55, 55, 55), NAMED, suffix)) == pytest.approx([128, 128, 128], abs=2)


def test_a_profile_that_is_srgb_changes_no_pixel() -> None:
    for color in ((3, 200, 77), (255, 0, 1), (55, 55, 55)):
        assert shown(png_profile(flat(*color), IDENTITY)) == list(color)


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"sRGB",
        LINEAR[:100],
        bytes(5000),
        LINEAR[:200],
        GRAY_LINEAR,
        LINEAR.replace(b"RGB ", b"CMYK"),
        LINEAR + bytes(MAX_BYTES),
    ],
    ids=["empty", "a name", "cut", "zeros", "no tags", "for gray", "for CMYK", "too large"],
)
def test_a_profile_that_is_broken_or_for_other_bands_counts_as_none(profile: bytes) -> None:
    assert shown(png_profile(flat(55, 90, 120), profile)) == [55, 90, 120]


@pytest.mark.parametrize("profile", [b"", LINEAR, GRAY_LINEAR, bytes(5000)])
def test_cmyk_without_a_fitting_profile_is_that_of_coated_paper(profile: bytes) -> None:
    image = pyvips.Image.black(64, 64, bands=4).linear(1, [0, 255, 255, 0]).cast("uchar").copy(interpretation="cmyk")
    red, green, blue = shown(with_profile(image, profile, ".jpg"))
    assert red > 200
    assert max(green, blue) < 80


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ({"gAMA": struct.pack(">I", 100_000)}, 128),
        ({"gAMA": struct.pack(">I", 45_455)}, 55),
        ({"gAMA": struct.pack(">I", 100_000), "sRGB": b"\0"}, 55),
        ({"gAMA": struct.pack(">I", 0)}, 55),
        ({"gAMA": b"\1"}, 55),
        ({"cHRM": bytes(32)}, 55),
        ({"cHRM": struct.pack(">8I", *(round(v * 100_000) for v in SRGB)), "gAMA": struct.pack(">I", 45_455)}, 55),
        ({"cICP": b"\1\x08\0\1", "sRGB": b"\0"}, 128),
        ({"cICP": b"\1\x0d\0\1", "gAMA": struct.pack(">I", 100_000)}, 55),
        ({"cICP": b"\1\x63\0\1", "gAMA": struct.pack(">I", 100_000)}, 128),
        ({"iCCP": b"x\0\0" + zlib.compress(LINEAR), "sRGB": b"\0"}, 128),
    ],
    ids=[
        "linear",
        "2.2",
        "sRGB first",
        "zero",
        "short",
        "no colors",
        "sRGB in numbers",
        "cICP",
        "cICP sRGB",
        "unknown cICP",
        "iCCP",
    ],
)
@pytest.mark.parametrize("values", [(55,), (55, 55, 55, 128)])
def test_the_color_chunks_of_a_png_count(chunks: dict[str, bytes], expected: int, values: tuple[int, ...]) -> None:
    assert shown(with_chunks(flat(*values), **chunks))[:3] == pytest.approx([expected] * 3, abs=1)


def test_primaries_and_hdr_are_brought_to_srgb() -> None:
    expected = flat(200, 55, 55).icc_transform("srgb", input_profile="p3")(5, 5)
    coordinates = struct.pack(">8I", *(round(value * 100_000) for value in P3))
    assert shown(with_chunks(flat(200, 55, 55), cHRM=coordinates)) == pytest.approx(expected, abs=1)
    assert shown(with_chunks(flat(200, 55, 55), cICP=b"\x0c\x0d\0\1")) == pytest.approx(expected, abs=1)
    white = flat(148, 148, 148)  # 203 cd/m2 in PQ
    assert shown(with_chunks(white, cICP=b"\x09\x10\0\1")) == pytest.approx([255] * 3, abs=2)
    assert shown(with_chunks(flat(191, 191, 191), cICP=b"\x09\x12\0\1")) == pytest.approx([255] * 3, abs=2)
