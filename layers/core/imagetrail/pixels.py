"""Pixels: any model's output becomes exactly the asked size, sRGB 8 bit, without metadata, and a thumbnail.

The only module that imports pyvips. libvips, because it renders SVG, decodes in a stream and writes PNG three
times as fast as Pillow; the settings below were measured at 1024 x 1024 and are explained in decisions.md.
"""

from dataclasses import dataclass

import pyvips

from imagetrail import containers

MAX_PIXELS = 70_000_000  # four times the largest picture we make
THUMBNAIL_SIDE = 512
MIN_SIDE, MAX_SIDE = 64, 16_384  # of an upload
KEPT_SIDE, KEPT_BYTES = 2048, 1_000_000  # of what is kept of it: fourteen of them fit into one request to a model

# A warm function must not keep pictures, and one thread per process is the cheapest CPU second.
pyvips.cache_set_max(0)
pyvips.concurrency_set(1)

LOADERS = {
    "png": (b"\x89PNG\r\n\x1a\n", 0, pyvips.Image.pngload_buffer),
    "jpg": (b"\xff\xd8\xff", 0, pyvips.Image.jpegload_buffer),
    "webp": (b"WEBP", 8, pyvips.Image.webpload_buffer),
}
ENCODERS: dict[str, dict[str, object]] = {
    "png": {"compression": 4, "filter": "sub"},
    "jpg": {"Q": 90, "optimize_coding": True},
    "webp": {"Q": 90, "effort": 2},
}


class UndecodableImage(Exception):
    """The bytes are not a picture we accept; the message says why and is safe to show."""


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


def encode(source: bytes, width: int, height: int, image_format: str, *, trusted_svg: bool = False) -> Picture:
    """Bring a PNG, JPEG or WebP (SVG only when trusted) to width x height as "png", "jpg" or "webp".

    A source of that size keeps its pixels; another one is scaled to cover and cropped in the middle.
    Only "jpg" loses transparency, to white. Equal input gives equal bytes. Raises UndecodableImage.
    """
    picture = decode(source, width, height, trusted_svg)
    flat = picture.flatten(background=[255]) if image_format == "jpg" and picture.hasalpha() else picture
    data = flat.write_to_buffer(f".{image_format}", keep="none", **ENCODERS[image_format])
    small = picture.thumbnail_image(THUMBNAIL_SIDE, height=THUMBNAIL_SIDE, size="down")
    return Picture(data, width, height, small.write_to_buffer(".webp", keep="none", Q=80, effort=2))


def accept(source: bytes) -> Accepted:
    """A picture that somebody uploaded, as it may be kept: encoded anew, upright, without metadata, of a size that
    every model takes. Raises UndecodableImage.

    Its dimensions are judged before anything is decoded; a file that is more than a picture is refused.
    """
    try:
        image = open_source(source, trusted_svg=False)
        if min(image.width, image.height) < MIN_SIDE or max(image.width, image.height) > MAX_SIDE:
            sides = f"{image.width} x {image.height} pixels"
            raise UndecodableImage(f"The image has {sides}; each side must have {MIN_SIDE} to {MAX_SIDE}.")
        _check_whole(source)
        small = to_srgb(image).thumbnail_image(KEPT_SIDE, height=KEPT_SIDE, size="down").copy_memory()
    except pyvips.Error as error:
        raise UndecodableImage("The image is damaged or incomplete.") from error
    own = next(kind for kind, (magic, at, _) in LOADERS.items() if source.startswith(magic, at))
    thumbnail = small.thumbnail_image(THUMBNAIL_SIDE, height=THUMBNAIL_SIDE, size="down")
    preview = thumbnail.write_to_buffer(".webp", keep="none", Q=80, effort=2)
    for kind, side, quality in ((own, KEPT_SIDE, 90), ("webp", KEPT_SIDE, 90), ("webp", 1024, 80)):
        kept = small.thumbnail_image(side, height=side, size="down")
        options = ENCODERS[kind] | ({"Q": quality} if kind == "webp" else {})
        data = kept.write_to_buffer(f".{kind}", keep="none", **options)
        if len(data) <= KEPT_BYTES:
            break
    return Accepted(data, kind, kept.width, kept.height, preview)


def stocky(source: bytes, ratio: float) -> bytes | None:
    """The middle of a picture whose longer side is more than `ratio` times the other, as PNG; None if it is not.

    Raises UndecodableImage.
    """
    try:
        image = open_source(source, trusted_svg=False)
        longest = int(min(image.width, image.height) * ratio)
        width, height = min(image.width, longest), min(image.height, longest)
        if (image.width, image.height) == (width, height):
            return None
        middle = image.crop((image.width - width) // 2, (image.height - height) // 2, width, height)
        data: bytes = middle.write_to_buffer(".png", keep="none", **ENCODERS["png"])
    except pyvips.Error as error:
        raise UndecodableImage("The image is damaged or incomplete.") from error
    return data


def _check_whole(source: bytes) -> None:
    try:
        length = containers.length(source)
    except containers.BrokenContainer as error:
        raise UndecodableImage("The image is damaged or incomplete.") from error
    if source[length:].strip(b"\0") or b"%PDF-" in source[:1024]:
        raise UndecodableImage("The file holds more than a picture. Save the picture anew and upload that.")


def decode(source: bytes, width: int, height: int, trusted_svg: bool) -> pyvips.Image:
    """The picture in memory at its final size; opaque alpha is dropped."""
    try:
        image = to_srgb(open_source(source, trusted_svg))
        if (image.width, image.height) != (width, height):
            image = cover(image, width, height)
        image = image.copy_memory()
        if image.hasalpha() and image.extract_band(image.bands - 1).min() == 255:
            image = image.extract_band(0, n=image.bands - 1)
    except pyvips.Error as error:
        raise UndecodableImage("The image is damaged or incomplete.") from error
    return image


def open_source(source: bytes, trusted_svg: bool) -> pyvips.Image:
    """A lazily decoded, upright image whose header was checked."""
    load = next((load for magic, at, load in LOADERS.values() if source.startswith(magic, at)), None)
    if load is None and trusted_svg and b"<svg" in source[:1024]:
        load = pyvips.Image.svgload_buffer
    if load is None:
        raise UndecodableImage("The image is not a PNG, JPEG or WebP file.")
    image = load(source, access="sequential", fail_on="error")
    if image.width * image.height > MAX_PIXELS:
        raise UndecodableImage(f"The image has {image.width} x {image.height} pixels; at most 70 million are read.")
    upright = image.get_typeof("orientation") == 0 or image.get("orientation") == 1
    return image if upright else image.copy_memory().autorot()


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """8-bit sRGB. Pixels that are sRGB already, by profile or for want of one, stay as they are."""
    profile = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else b""
    if image.interpretation == "cmyk":
        return image.icc_transform("srgb", embedded=True, input_profile="cmyk")
    if image.bands >= 3 and profile and b"sRGB" not in profile.replace(b"\0", b""):
        return image.icc_transform("srgb", embedded=True, input_profile="srgb")
    return image.colourspace("srgb")


def cover(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Crop the middle to the wanted aspect, then resample to exactly width x height."""
    scale = max(width / image.width, height / image.height)
    inner_width = min(image.width, max(1, round(width / scale)))
    inner_height = min(image.height, max(1, round(height / scale)))
    left, top = (image.width - inner_width) // 2, (image.height - inner_height) // 2
    middle = image.crop(left, top, inner_width, inner_height)
    return middle.thumbnail_image(width, height=height, size="force")
