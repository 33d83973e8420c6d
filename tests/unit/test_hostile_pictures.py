"""Pictures made to do harm: little memory, little time, and one error, whatever the bytes are."""

import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagetrail import pixels, provenance
from imagetrail.containers import riff
from tests.unit.pictures import EXIF_TURNED, WEBP_PICTURE, chunk, jpeg, png, segment, webp

MEGABYTES, CPU_SECONDS = 400, 30
PACKED = zlib.compress(b"a" * 7_900_000, 9)
PROGRAM = """
import sys, time
from imagetrail import pixels, provenance
source = sys.stdin.buffer.read()
for take in (pixels.accept, pixels.thumbnail, pixels.measure, pixels.convert, provenance.extract):
    try:
        for kind in ("jpg", "webp") if take is pixels.convert and source[1:4] == b"PNG" else ("png",):
            take(source, kind) if take is pixels.convert else take(source)
    except (pixels.UndecodableImage, provenance.NoProvenance):
        pass
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024, time.process_time())
"""
FRAME = riff(b"ANMF", bytes(6) + b"\x3f\0\0\x3f\0\0" + bytes(4) + WEBP_PICTURE)


def progressive_scans(repeated: int, side: int) -> bytes:
    image = jpeg(width=side, height=side, interlace=True)
    last = image.rfind(b"\xff\xda")
    return image[:-2] + image[last:-2] * repeated + b"\xff\xd9"


def truecolor_webp() -> bytes:
    tile = pyvips.Image.gaussnoise(256, 256, mean=128, sigma=60, seed=1).cast("uchar")
    image = tile.bandjoin([tile.rot90(), tile.rot180()]).replicate(24, 24).copy(interpretation="srgb")
    return bytes(image.webpsave_buffer(lossless=True, effort=0))


BOMBS: dict[str, Callable[[], bytes]] = {
    "png zTXt": lambda: png(extra=b"".join(chunk(b"zTXt", b"c%d\0\0" % n + PACKED) for n in range(150))),
    "png iTXt": lambda: png(extra=chunk(b"iTXt", b"c\0\1\0\0\0" + PACKED) * 900),
    "png XMP": lambda: png(extra=chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + PACKED) * 900),
    "png raw XMP": lambda: png(extra=chunk(b"zTXt", b"Raw profile type xmp\0\0" + PACKED) * 900),
    "png tEXt": lambda: png(extra=chunk(b"tEXt", b"c\0") * 600_000),
    "png iCCP": lambda: png(extra=chunk(b"iCCP", b"x\0\0" + PACKED) * 900),
    "png eXIf": lambda: png(extra=chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + bytes(9_900_000))),
    "png IDAT": lambda: png()[:-12] + chunk(b"IDAT", b"") * 700_000 + png()[-12:],
    "png APNG": lambda: png(extra=chunk(b"acTL", bytes(8)) + chunk(b"fdAT", bytes(4) + PACKED) * 900),
    "png 16 bit": lambda: png(8192, 8192, color=6, depth=16),
    "png interlaced": lambda: png(8192, 8192, color=6, depth=16, interlaced=1),
    "png raw XMP of blanks": lambda: png(
        extra=chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(b"\nxmp\n 1" + b" " * 7_000_000 + b"Z"))
    ),
    "png to convert": lambda: png(5_800, 5_800, color=6),
    "png interlaced to convert": lambda: png(4_096, 4_096, color=6, depth=16, interlaced=1),
    "png wide": lambda: png(32_767, 2_000, color=6, depth=16),
    "jpg APPn": lambda: jpeg(segment(0xE5, bytes(65_000)) * 150),
    "jpg ICC": lambda: jpeg(
        b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 150]) + bytes(65_000)) for n in range(1, 151))
    ),
    "jpg EXIF": lambda: jpeg(segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\1\x12\0\3" * 15_000) * 150),
    "jpg MPF": lambda: jpeg() * 10_000,
    "jpg scans": lambda: progressive_scans(60, 4096),
    "jpg many scans": lambda: progressive_scans(100_000, 64),
    "jpg progressive": lambda: jpeg(width=8192, height=8192, interlace=True, subsample_mode="off"),
    "jpg progressive to convert": lambda: jpeg(width=4_096, height=4_096, interlace=True),
    "jpg turned to convert": lambda: jpeg(segment(0xE1, EXIF_TURNED), width=5_800, height=5_800),
    "jpg turned": lambda: jpeg(segment(0xE1, EXIF_TURNED), width=8192, height=8192),
    "webp ICCP": lambda: webp(riff(b"ICCP", bytes(9_000_000)), WEBP_PICTURE, flags=0x20),
    "webp chunks": lambda: webp(WEBP_PICTURE, riff(b"XXXX", b"") * 1_200_000),
    "webp XMP": lambda: webp(WEBP_PICTURE, riff(b"XMP ", b"<a>" * 3_000_000), flags=4),
    "webp EXIF": lambda: webp(WEBP_PICTURE, riff(b"EXIF", bytes(9_000_000)), flags=8),
    "webp frames": lambda: webp(riff(b"ANIM", bytes(6)), FRAME * 50_000, flags=2),
    "webp canvas": lambda: webp(riff(b"ANIM", bytes(6)), FRAME, flags=2, width=8192, height=8192),
    "webp lie": lambda: webp(WEBP_PICTURE, width=8192, height=8192),
    "webp lossless": truecolor_webp,
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell the peak of memory")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_little_memory_and_time(name: str) -> None:
    source = BOMBS[name]()
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=source, capture_output=True, check=True)
    peak, seconds = done.stdout.split()
    assert int(peak) < MEGABYTES
    assert float(seconds) < CPU_SECONDS


@cache
def sources() -> list[bytes]:
    noise = pyvips.Image.gaussnoise(90, 70, mean=128, sigma=50, seed=2).cast("uchar")
    image = noise.bandjoin([noise.flip("horizontal"), noise.flip("vertical")]).copy(interpretation="srgb")
    made = [
        bytes(image.write_to_buffer(f".{kind}")) for kind in ("png", "jpg", "jpg[interlace]", "webp", "webp[lossless]")
    ]
    turned = made[1][:2] + segment(0xE1, EXIF_TURNED) + made[1][2:]
    profiled = bytes(image.pngsave_buffer(profile="p3"))
    animated = webp(riff(b"ANIM", bytes(6)), FRAME, flags=2, width=80, height=80)
    return [*made, turned, profiled, animated, bytes(image.colourspace("cmyk").jpegsave_buffer())]


def try_all(source: bytes) -> None:
    """Every public function takes the bytes, or raises its one error."""
    for take in (
        pixels.accept,
        pixels.thumbnail,
        pixels.measure,
        lambda data: pixels.encode(data, 64, 64, "png"),
        lambda data: pixels.convert(data, "webp"),
        lambda data: pixels.stocky(data, 1.2),
    ):
        with suppress(pixels.UndecodableImage):
            take(source)
    with suppress(provenance.NoProvenance):
        provenance.extract(source)


@pytest.mark.parametrize("source", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\4\0\0\0WEBP", b""])
def test_a_bare_signature_is_refused_by_every_function(source: bytes) -> None:
    for take in (pixels.accept, pixels.thumbnail, pixels.measure, lambda data: pixels.convert(data, "png")):
        with pytest.raises(pixels.UndecodableImage, match=r"\."):
            take(source)


def test_part_of_a_turned_jpeg_is_refused() -> None:
    source = jpeg(segment(0xE1, EXIF_TURNED), 300, 200)
    assert (pixels.measure(source).width, pixels.accept(source).width) == (200, 200)
    with pytest.raises(pixels.UndecodableImage, match="damaged"):
        pixels.convert(source[: len(source) * 2 // 3], "png")


@pytest.mark.parametrize("number", range(9))
def test_a_picture_that_is_cut_anywhere_raises_one_error(number: int) -> None:
    source = sources()[number]
    for end in {*range(0, len(source), 1 + len(source) // 60), *range(60), *range(len(source) - 20, len(source))}:
        with pytest.raises(pixels.UndecodableImage):
            pixels.thumbnail(source[:end])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_flipped_bytes_raise_one_error(data: st.DataObject) -> None:
    source = bytearray(data.draw(st.sampled_from(sources())))
    for _ in range(data.draw(st.integers(1, 5))):
        reach = data.draw(st.sampled_from([80, 700, len(source)]))
        source[data.draw(st.integers(0, min(reach, len(source)) - 1))] = data.draw(st.integers(0, 255))
    try_all(bytes(source))


@pytest.mark.parametrize(
    "head",
    [
        b"<svg",
        b"II*\0",
        b"GIF89a",
        b"\0\0\0\x1cftypheic",
        b"\0\0\0\x1cftypavif",
        b"%PDF",
        b"v/1\1",
        b"\x08\xf2\xa6\xb6",
    ],
)
def test_no_other_decoder_is_reached(head: bytes) -> None:
    with pytest.raises(pixels.UndecodableImage, match="Save it as one of these"):
        pixels.encode(head + bytes(500), 64, 64, "png")


def test_the_first_frame_of_an_animation_is_the_picture() -> None:
    assert (pixels.accept(sources()[7]).width, pixels.measure(sources()[7]).kind) == (80, "webp")


@pytest.mark.parametrize("marker", [0xC3, 0xC9])
def test_a_rare_jpeg_is_refused_with_what_to_do(marker: int) -> None:
    source = jpeg()
    with pytest.raises(pixels.UndecodableImage, match="Save it as a baseline JPEG"):
        pixels.accept(source.replace(b"\xff\xc0", bytes([0xFF, marker]), 1))
