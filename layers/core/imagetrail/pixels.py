"""Pixels: any picture becomes exactly the wanted size, sRGB 8 bit, without metadata, and a thumbnail.

The only module that imports pyvips. libvips, because it renders SVG, decodes in a stream and writes PNG three
times as fast as Pillow; the settings below were measured at 1024 x 1024 and are explained in decisions.md.
Every function raises UndecodableImage, and nothing else, for bytes that are not a picture we decode.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyvips

from imagetrail import color_profiles
from imagetrail.containers import BrokenContainer, kind_of
from imagetrail.decoder_input import DecoderInput, UnsupportedImage, reduce

MAX_PIXELS = 70_000_000  # four times the largest picture we make
MAX_DECODER_BYTES = 270_000_000  # what a decoder may hold of one picture
MAX_CONVERTED, _MEDIUM = 34_000_000, 8_000_000  # pixels: 8K, 4K
THUMBNAIL_SIDE = 512
MIN_SIDE, MAX_SIDE = 64, 16_384  # of an upload
MAX_RATIO = 16  # of an upload's sides: what is kept of it has at least MIN_SIDE, even at its smallest
KEPT_SIDE, KEPT_BYTES = 2048, 1_000_000  # of what is kept of it: fourteen of them fit into one request to a model

# A warm function must not keep pictures, and one thread per process is the cheapest CPU second.
pyvips.cache_set_max(0)
pyvips.concurrency_set(1)

ENCODERS: dict[str, dict[str, object]] = {
    "png": {"compression": 4, "filter": "sub"},
    "jpg": {"Q": 90, "optimize_coding": True},
    "webp": {"Q": 90, "effort": 2},
}
_LOADERS = {
    "png": pyvips.Image.pngload_buffer,
    "jpg": pyvips.Image.jpegload_buffer,
    "webp": pyvips.Image.webpload_buffer,
}
_IDENTITY = 2  # the largest difference, of 255, by which a profile still counts as that of sRGB
_GRAYS = bytes(range(256))
_COLORS = bytes(value for gray in _GRAYS for value in (gray, gray, gray)) + bytes(
    value for color in itertools.product(range(0, 256, 51), repeat=3) for value in color
)
_WIDEST = 32_767  # a decoder holds some rows
_MAX_SCANS, _MAX_SCANNED_PIXELS = 100, 1_000_000_000  # of a JPEG: each of its scans goes over all of its pixels


class UndecodableImage(Exception):
    """The bytes are not a picture we accept; the message says why and what to change, and is safe to show."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture of `width` x `height` pixels and its WebP thumbnail."""

    data: bytes
    width: int
    height: int
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is kept of an uploaded picture: encoded as `kind` ("png", "jpg" or "webp"), and its WebP thumbnail."""

    data: bytes
    kind: str
    width: int
    height: int
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Measured:
    """What a file really holds: its format ("png", "jpg" or "webp") and the width and height of its upright picture."""

    kind: str
    width: int
    height: int


def encode(source: bytes, width: int, height: int, image_format: str, *, trusted_svg: bool = False) -> Picture:
    """Bring a PNG, JPEG or WebP (SVG only when trusted) to width x height as "png", "jpg" or "webp".

    A source of that size keeps its pixels; another one is scaled to cover and cropped in the middle.
    Only "jpg" loses transparency, to white. Equal input gives equal bytes. Raises UndecodableImage.
    """
    with _decoding():
        if trusted_svg and b"<svg" in source[:1024]:
            image = pyvips.Image.svgload_buffer(source, access="sequential", fail_on="error")
            picture = _sized(image.colourspace("srgb"), width, height)
        else:
            given = _reduced(source)
            stored = (height, width) if given.orientation > 4 else (width, height)
            image = _to_srgb(_open(given, *stored), given.profile)
            picture = _upright(_sized(image, *stored), given.orientation)
        flat = picture.flatten(background=[255]) if image_format == "jpg" and picture.hasalpha() else picture
        data = flat.write_to_buffer(f".{image_format}", keep="none", **ENCODERS[image_format])
        return Picture(data, width, height, _preview(picture))


def convert(source: bytes, image_format: str) -> Picture:
    """A PNG, JPEG or WebP at its own size, upright, as "png", "jpg" or "webp". Raises UndecodableImage.

    What is upright already is never held as a whole: it is decoded once for each thing that is made of it.
    """
    with _decoding():
        given = _reduced(source)
        holds_more = given.buffered or image_format == "webp" or (image_format == "jpg" and given.orientation > 1)
        most = MAX_CONVERTED // 2 if holds_more else MAX_CONVERTED
        if given.width * given.height > most:
            raise UndecodableImage(
                f"The image has {given.width} x {given.height} pixels; at most {most // 1_000_000} million are"
                f" converted to {image_format} from how it is stored. Convert it before, or scale it down."
            )
        if given.orientation > 1:
            return encode(source, *given.upright_size, image_format)
        picture = _whole(given)
        if picture.hasalpha():
            is_opaque = picture.extract_band(picture.bands - 1).min() == 255
            picture = _whole(given)
            picture = picture.extract_band(0, n=picture.bands - 1) if is_opaque else picture
        flat = picture.flatten(background=[255]) if image_format == "jpg" and picture.hasalpha() else picture
        # Optimal codes take 12 bytes a pixel to find.
        plain = {"optimize_coding": False} if image_format == "jpg" and given.width * given.height > _MEDIUM else {}
        data = flat.write_to_buffer(f".{image_format}", keep="none", **(ENCODERS[image_format] | plain))
        return Picture(data, given.width, given.height, _preview(_within(given, THUMBNAIL_SIDE)))


def measure(source: bytes) -> Measured:
    """Format and size by the file's structure, which must be whole; no pixel is decoded. Raises UndecodableImage."""
    with _decoding():
        given = _reduced(source)
        return Measured(given.kind, *given.upright_size)


def thumbnail(source: bytes) -> bytes:
    """The WebP thumbnail of a PNG, JPEG or WebP, which is decoded to its end. Raises UndecodableImage."""
    with _decoding():
        return _preview(_within(_reduced(source), THUMBNAIL_SIDE))


def accept(source: bytes) -> Accepted:
    """An uploaded picture as it may be kept: re-encoded, upright, without metadata or anything that follows it, of a
    size that every model takes. Raises UndecodableImage.

    Its dimensions are judged before anything is decoded.
    """
    with _decoding():
        given = _reduced(source)
        shorter, longer = sorted(given.upright_size)
        sides = "{} x {} pixels".format(*given.upright_size)
        if shorter < MIN_SIDE or longer > MAX_SIDE:
            raise UndecodableImage(
                f"The image has {sides}, and each side must have {MIN_SIDE} to {MAX_SIDE}. Scale it to that."
            )
        if longer > MAX_RATIO * shorter:
            raise UndecodableImage(
                f"The image has {sides}, and the longer side may be at most {MAX_RATIO} times the shorter. Crop it."
            )
        small = _within(given, KEPT_SIDE)
        for kind, side, quality in ((given.kind, KEPT_SIDE, 90), ("webp", KEPT_SIDE, 90), ("webp", 1024, 80)):
            kept = small.thumbnail_image(side, height=side, size="down")
            options = ENCODERS[kind] | ({"Q": quality} if kind == "webp" else {})
            data = kept.write_to_buffer(f".{kind}", keep="none", **options)
            if len(data) <= KEPT_BYTES:
                break
        return Accepted(data, kind, kept.width, kept.height, _preview(small))


def stocky(source: bytes, ratio: float) -> bytes | None:
    """The middle of a picture whose longer side is more than `ratio` times the other, as PNG; None if it is not.

    Raises UndecodableImage.
    """
    with _decoding():
        width, height = _reduced(source).upright_size
        longest = int(min(width, height) * ratio)
        if max(width, height) <= longest:
            return None
        return encode(source, min(width, longest), min(height, longest), "png").data


@contextmanager
def _decoding() -> Iterator[None]:
    """Whatever a container or decoder finds wrong becomes UndecodableImage."""
    try:
        yield
    except UnsupportedImage as error:
        raise UndecodableImage(str(error)) from error
    except (BrokenContainer, pyvips.Error) as error:
        raise UndecodableImage("The image is damaged or incomplete. Use an intact copy of it.") from error


def _reduced(source: bytes) -> DecoderInput:
    """The picture of a file, whose header was checked. Raises BrokenContainer and UndecodableImage."""
    try:
        kind_of(source)
    except BrokenContainer as error:
        raise UndecodableImage("The image is not a PNG, JPEG or WebP file. Save it as one of these.") from error
    given = reduce(source)
    if not (given.width and given.height):
        raise BrokenContainer("The image has no pixels.")
    pixels, sides = given.width * given.height, "{} x {} pixels".format(*given.upright_size)
    if pixels > MAX_PIXELS or max(given.width, given.height) > _WIDEST:
        raise UndecodableImage(
            f"The image has {sides}; at most 70 million are read, and {_WIDEST} on a side. Scale it down."
        )
    if given.scans > _MAX_SCANS or given.scans * pixels > _MAX_SCANNED_PIXELS:
        raise UndecodableImage(
            f"The JPEG file has {given.scans} scans, too many for {sides}."
            " Save it as a baseline (not progressive) JPEG."
        )
    return given


def _open(given: DecoderInput, width: float, height: float) -> pyvips.Image:
    """A lazily decoded image, as it is stored, that is to become about width x height.

    A WebP is scaled as it is decoded, to twice that: libwebp holds its output twice, with four bytes a pixel.
    """
    options, output = dict[str, float](), 0.0
    if given.kind == "webp":
        factor = max(1, min(given.width / width, given.height / height) / 2)
        options, output = {"scale": 1 / factor}, 8 * given.width * given.height / factor**2
    if given.buffered + output > MAX_DECODER_BYTES:
        raise UndecodableImage(
            f"The image has {given.width} x {given.height} pixels, too many for the way they are stored. Scale it"
            " down, or save it as a baseline (not progressive) JPEG or as a PNG without interlacing."
        )
    return _LOADERS[given.kind](given.data, access="sequential", fail_on="error", **options)


def _whole(given: DecoderInput) -> pyvips.Image:
    """The picture as it is stored, at its own size, to be read once."""
    return _to_srgb(_open(given, given.width, given.height), given.profile)


def _within(given: DecoderInput, side: int) -> pyvips.Image:
    """The upright picture in memory, scaled down until neither side is longer than `side`."""
    ratio = min(1.0, side / max(given.width, given.height))
    image = _to_srgb(_open(given, given.width * ratio, given.height * ratio), given.profile)
    return _upright(image.thumbnail_image(side, height=side, size="down").copy_memory(), given.orientation)


def _sized(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """The picture in memory at its final size; opaque alpha is dropped."""
    if (image.width, image.height) != (width, height):
        image = _cover(image, width, height)
    image = image.copy_memory()
    if image.hasalpha() and image.extract_band(image.bands - 1).min() == 255:
        image = image.extract_band(0, n=image.bands - 1)
    return image


def _cover(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Crop the middle to the wanted aspect, then resample to exactly width x height."""
    scale = max(width / image.width, height / image.height)
    inner_width = min(image.width, max(1, round(width / scale)))
    inner_height = min(image.height, max(1, round(height / scale)))
    left, top = (image.width - inner_width) // 2, (image.height - inner_height) // 2
    middle = image.crop(left, top, inner_width, inner_height)
    return middle.thumbnail_image(width, height=height, size="force")


def _preview(image: pyvips.Image) -> bytes:
    small = image.thumbnail_image(THUMBNAIL_SIDE, height=THUMBNAIL_SIDE, size="down")
    return bytes(small.write_to_buffer(".webp", keep="none", Q=80, effort=2))


def _upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    turned = image.copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return turned.autorot()


def _to_srgb(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """8-bit sRGB, by what the profile does: pixels whose profile changes nothing, or that have none, stay as they are.

    A profile that is broken or for other bands counts as none, and CMYK without one as coated paper (SWOP). A profile
    for RGB fits gray pixels too, which are RGB with three equal bands.
    """
    space, is_gray = color_profiles.color_space(profile), image.bands < 3
    if image.interpretation == "cmyk":
        return _transformed(image, profile if space == "cmyk" else b"", "cmyk")
    if (space == "rgb" or (space == "gray" and is_gray)) and not _is_srgb(profile, space):
        if space == "rgb" and is_gray:
            image = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
        image = _transformed(image, profile, "srgb")
    return image.colourspace("srgb")


def _transformed(image: pyvips.Image, profile: bytes, fallback: str) -> pyvips.Image:
    tagged = image.copy()
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return tagged.icc_transform("srgb", embedded=True, input_profile=fallback)


def _is_srgb(profile: bytes, space: str) -> bool:
    """Whether it leaves a ramp of grays, and RGB colors of all kinds, where they are; so does one that is broken."""
    data, interpretation = (_GRAYS, "b-w") if space == "gray" else (_COLORS, "srgb")
    bands = 1 if space == "gray" else 3
    before = pyvips.Image.new_from_memory(data, len(data) // bands, 1, bands, "uchar")
    try:
        after = _transformed(before.copy(interpretation=interpretation), profile, "srgb")
        return bool((after - before).abs().max() <= _IDENTITY)
    except pyvips.Error:
        return True
