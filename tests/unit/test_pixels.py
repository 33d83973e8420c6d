"""Pixels: exactly the asked size, format and nothing else, whatever a model sent."""

import struct
import subprocess
import sys
import zlib
from functools import cache

import pytest
import pyvips

from imagetrail import containers, pixels
from imagetrail.models.painter import scenes

FORMATS = {"png": "pngload_buffer", "jpg": "jpegload_buffer", "webp": "webpload_buffer"}


@cache
def scene(width: int = 160, height: int = 120) -> pyvips.Image:
    svg = scenes.paint("a quiet lake", 7, width, height)
    return pyvips.Image.svgload_buffer(svg).flatten().copy_memory()


def opened(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "")


def same_pixels(one: pyvips.Image, other: pyvips.Image) -> bool:
    return bool(one.bands == other.bands and (one - other).abs().max() == 0)


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_every_format_becomes_every_format(suffix: str, image_format: str) -> None:
    source = scene().write_to_buffer(suffix)
    made = pixels.encode(source, 160, 120, image_format)
    image = getattr(pyvips.Image, FORMATS[image_format])(made.data)
    assert (image.width, image.height, image.bands, image.format) == (160, 120, 3, "uchar")
    assert (made.width, made.height) == (160, 120)
    assert (image - opened(source)).abs().avg() < 4
    assert made == pixels.encode(source, 160, 120, image_format)


@pytest.mark.parametrize("suffix", [".png", ".jpg[Q=60]", ".webp[lossless]"])
def test_pixels_of_the_right_size_stay_untouched(suffix: str) -> None:
    source = scene().write_to_buffer(suffix)
    assert same_pixels(opened(pixels.encode(source, 160, 120, "png").data), opened(source))


@pytest.mark.parametrize(("width", "height"), [(120, 120), (64, 120), (321, 97), (40, 30)])
def test_another_size_is_covered_and_cropped_in_the_middle(width: int, height: int) -> None:
    """A picture with a red left third and a blue right third keeps its middle."""
    third = pyvips.Image.black(100, 300, bands=3)
    colours = [255, 0, 0], [0, 255, 0], [0, 0, 255]
    source = pyvips.Image.arrayjoin([third.linear(1, colour) for colour in colours], across=3)
    made = opened(pixels.encode(source.cast("uchar").write_to_buffer(".png"), width, height, "png").data)
    assert (made.width, made.height) == (width, height)
    assert made(width // 2, height // 2)[1] > 250
    assert abs(made.extract_band(0).avg() - made.extract_band(2).avg()) < 3


@pytest.mark.parametrize(
    ("size", "thumbnail"), [((1024, 576), (512, 288)), ((439, 1024), (220, 512)), ((80, 60), (80, 60))]
)
def test_the_thumbnail_is_webp_of_at_most_512(size: tuple[int, int], thumbnail: tuple[int, int]) -> None:
    made = pixels.encode(scenes.paint("lake", 1, *size), *size, "jpg", trusted_svg=True)
    small = pyvips.Image.webpload_buffer(made.thumbnail)
    assert (small.width, small.height) == thumbnail
    assert (small - opened(made.data).thumbnail_image(thumbnail[0], height=thumbnail[1], size="force")).abs().avg() < 6


@pytest.mark.parametrize("image_format", FORMATS)
def test_no_metadata_survives(image_format: str) -> None:
    source = scene().copy()
    source.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x>secret-place</x>")
    source.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", "secret-place (secret-place, ASCII, 13)")
    source.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "48/1 12/1 0/1")
    jpeg = source.jpegsave_buffer()
    assert b"secret-place" in jpeg
    made = pixels.encode(jpeg, 160, 120, image_format)
    for data in (made.data, made.thumbnail):
        assert b"secret-place" not in data
        assert not [name for name in opened(data).get_fields() if name.startswith(("exif", "xmp", "icc", "iptc"))]


def test_a_rotated_photo_stands_upright() -> None:
    source = scene().copy()
    source.set_type(pyvips.GValue.gint_type, "orientation", 6)
    made = opened(pixels.encode(source.jpegsave_buffer(Q=95), 120, 160, "png").data)
    assert (made - scene().rot90()).abs().avg() < 3


def test_alpha_is_kept_and_only_jpeg_is_flattened_on_white() -> None:
    source = pyvips.Image.black(64, 64, bands=3).bandjoin(0).copy(interpretation="srgb").write_to_buffer(".png")
    assert opened(pixels.encode(source, 64, 64, "png").data)(5, 5) == [0, 0, 0, 0]
    assert opened(pixels.encode(source, 64, 64, "webp").data).hasalpha()
    assert opened(pixels.encode(source, 64, 64, "jpg").data)(5, 5) == [255, 255, 255]


@pytest.mark.parametrize("kind", ["grey", "16 bit", "cmyk", "palette", "display p3"])
def test_every_colour_space_becomes_srgb_8_bit(kind: str) -> None:
    source = {
        "grey": lambda: scene().colourspace("b-w").write_to_buffer(".png"),
        "16 bit": lambda: scene().colourspace("rgb16").write_to_buffer(".png"),
        "cmyk": lambda: scene().icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(Q=95),
        "palette": lambda: scene().pngsave_buffer(palette=True),
        "display p3": lambda: scene().icc_transform("p3", input_profile="srgb").pngsave_buffer(profile="p3"),
    }[kind]()
    made = opened(pixels.encode(source, 160, 120, "png").data)
    expected = scene().colourspace("b-w").colourspace("srgb") if kind == "grey" else scene()
    assert (made.bands, made.format, made.interpretation) == (3, "uchar", "srgb")
    assert (made - expected).abs().avg() < (10 if kind == "cmyk" else 3)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"hello",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"%PDF-1.7\n",
        b"II*\x00\x08\x00\x00\x00",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"RIFF\x00\x00\x00\x00WEBP",
        png(64, 64, zlib.compress(b"\0" * 500)),
        png(64, 64, b"not zlib"),
        png(0, 5, b""),
    ],
)
def test_what_is_not_a_whole_picture_is_refused(source: bytes) -> None:
    with pytest.raises(pixels.UndecodableImage):
        pixels.encode(source, 64, 64, "png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_picture_is_refused(suffix: str, share: float) -> None:
    source = scene().write_to_buffer(suffix)
    with pytest.raises(pixels.UndecodableImage, match="damaged"):
        pixels.encode(source[: int(len(source) * share)], 160, 120, "png")


def test_broken_svg_of_our_own_is_refused_too() -> None:
    with pytest.raises(pixels.UndecodableImage):
        pixels.encode(b"<svg width='9' height='9'><g>", 9, 9, "png", trusted_svg=True)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(pixels.UndecodableImage, match="70 million"):
        pixels.encode(png(30_000, 30_000, zlib.compress(b"\0" * 100)), 64, 64, "png")


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc: ru_maxrss is at least the parent's")
def test_the_largest_picture_stays_well_under_a_gigabyte() -> None:
    program = (
        "import re; from pathlib import Path; from imagetrail import pixels\n"
        "from imagetrail.models.painter.scenes import paint\n"
        "svg = paint('forest', 1, 4096, 4096)\n"
        "pixels.encode(svg, 4096, 4096, 'webp', trusted_svg=True)\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    peak = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert int(peak) // 1024 < 700


def upload(suffix: str = ".png", width: int = 160, height: int = 120) -> bytes:
    return bytes(scene(width, height).write_to_buffer(suffix))


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "png"), (".jpg", "jpg"), (".webp", "webp")])
def test_an_upload_is_kept_in_its_own_format(suffix: str, kind: str) -> None:
    kept = pixels.accept(upload(suffix))
    assert (kept.kind, kept.width, kept.height) == (kind, 160, 120)
    assert opened(kept.data).get("vips-loader") == FORMATS[kind]
    assert (opened(kept.data) - opened(upload(suffix))).abs().avg() < 4
    assert opened(kept.thumbnail).get("vips-loader") == "webpload_buffer"
    assert kept == pixels.accept(upload(suffix))


def test_an_upload_loses_its_metadata_and_stands_upright() -> None:
    image = scene().copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    for name, value in (("exif-ifd3-GPSLatitude", "52/1 30/1 0/1"), ("exif-ifd0-Artist", "somebody")):
        image.set_type(pyvips.GValue.gstr_type, name, value)
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>somebody</x:xmpmeta>")
    source = image.write_to_buffer(".jpg")
    assert opened(source).get_typeof("exif-ifd3-GPSLatitude")
    assert b"somebody" in source
    kept = pixels.accept(source)
    assert (kept.width, kept.height) == (120, 160)
    assert not [name for name in opened(kept.data).get_fields() if "exif" in name or "xmp" in name or "iptc" in name]
    assert b"somebody" not in kept.data + kept.thumbnail
    assert b"Exif" not in kept.data + kept.thumbnail


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_what_is_kept_of_an_upload_fits_into_a_request(suffix: str) -> None:
    noise = pyvips.Image.gaussnoise(2600, 2600, mean=128, sigma=60, seed=1).cast("uchar")
    kept = pixels.accept(bytes(noise.bandjoin([noise.rot90(), noise.rot180()]).write_to_buffer(suffix)))
    assert len(kept.data) <= pixels.KEPT_BYTES
    assert max(kept.width, kept.height) <= pixels.KEPT_SIDE
    assert (opened(kept.data).width, opened(kept.data).height) == (kept.width, kept.height)


def test_transparency_of_an_upload_is_kept() -> None:
    clear = scene().bandjoin(scene().extract_band(0))
    assert opened(pixels.accept(bytes(clear.write_to_buffer(".png"))).data).bands == 4


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpg[interlace]", ".webp", ".webp[lossless]"])
def test_an_upload_that_ends_anywhere_before_its_end_is_refused(suffix: str) -> None:
    whole = upload(suffix)
    for end in (1, 20, len(whole) // 3, len(whole) // 2, len(whole) - 13, len(whole) - 1):
        with pytest.raises(pixels.UndecodableImage):
            pixels.accept(whole[:end])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpg[interlace]", ".webp"])
@pytest.mark.parametrize(
    "tail",
    [
        b"\n",
        bytes(64),
        b"PK\x03\x04archive",
        b"<script>alert(1)</script>",
        b"\0\0\0\x18ftypmp42",
        upload(".jpg", 80, 60),
    ],
    ids=["newline", "padding", "archive", "script", "video", "picture"],
)
def test_what_follows_the_picture_is_dropped(suffix: str, tail: bytes) -> None:
    whole = upload(suffix)
    kept = pixels.accept(whole + tail)
    assert kept == pixels.accept(whole)
    assert tail.strip(b"\0\n") not in kept.data + kept.thumbnail or not tail.strip(b"\0\n")
    with pytest.raises(pixels.UndecodableImage, match="not a PNG, JPEG or WebP"):
        pixels.accept(b"%PDF-1.7\n" + whole)


def test_a_comment_is_dropped() -> None:
    whole, comment = upload(".jpg"), b"%PDF-1.7 1 0 obj"
    segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    assert pixels.accept(whole[:2] + segment + whole[2:]) == pixels.accept(whole)


@pytest.mark.parametrize("gap", [b"", b"\0", b"\n\0\0"])
def test_the_second_view_of_a_stereo_picture_is_no_obstacle(gap: bytes) -> None:
    first, second = upload(".jpg"), upload(".jpg", 80, 60)
    assert pixels.accept(first + gap + second) == pixels.accept(first)
    assert containers.length(first + gap + second + b"PK") == len(first + gap + second)
    assert containers.length(first + gap + second[:-20]) == len(first)


@pytest.mark.parametrize(("width", "height"), [(64, 1024), (2048, 128), (16_384, 1024), (1500, 94), (4096, 256)])
def test_what_is_kept_of_an_upload_has_the_smallest_side(width: int, height: int) -> None:
    noise = pyvips.Image.gaussnoise(width, height, mean=128, sigma=90, seed=1).cast("uchar")
    kept = pixels.accept(bytes(noise.bandjoin([noise.flip("horizontal"), noise.flip("vertical")]).pngsave_buffer()))
    assert min(kept.width, kept.height) >= pixels.MIN_SIDE
    assert max(kept.width, kept.height) <= pixels.KEPT_SIDE


@pytest.mark.parametrize(("width", "height"), [(64, 16_384), (64, 1025), (2000, 124)])
def test_an_upload_that_is_too_narrow_is_refused(width: int, height: int) -> None:
    source = bytes(pyvips.Image.black(width, height, bands=3).pngsave_buffer())
    with pytest.raises(pixels.UndecodableImage, match="at most 16 times the shorter"):
        pixels.accept(source)


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (30_000, 64), (9_000, 9_000), (63, 100)])
def test_an_upload_is_judged_by_its_dimensions_before_it_is_decoded(width: int, height: int) -> None:
    """A bomb of a few bytes: in a process with too little memory to decode it."""
    program = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))
from imagetrail import pixels
try:
    pixels.accept(sys.stdin.buffer.read())
except pixels.UndecodableImage as error:
    print(error)
"""
    bomb = png(width, height, zlib.compress(bytes(1 << 16)))
    done = subprocess.run([sys.executable, "-c", program], input=bomb, capture_output=True, check=True)
    assert f"{width} x {height}".encode() in done.stdout
