"""PNG, JPEG and WebP files as the parts they consist of: chunks and segments, and where the picture ends.

Sources: PNG third edition, ITU-T T.81 annex B, WebP container specification (RFC 9649).
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # 0xFF within a scan: stuffed with 0, or a restart
_NEXT_JPEG = re.compile(rb"[\0\s]*(?=\xff\xd8\xff)")

Span = tuple[int, int]


class BrokenContainer(Exception):
    """The bytes are not a whole PNG, JPEG or WebP file."""


def kind_of(image: bytes) -> str:
    """The format that a file begins as: "png", "jpg" or "webp". Raises BrokenContainer."""
    if image.startswith(_PNG):
        return "png"
    if image.startswith(_JPEG):
        return "jpg"
    if image.startswith(b"RIFF") and image.startswith(b"WEBP", 8):
        return "webp"
    raise BrokenContainer("The file is not PNG, JPEG or WebP.")


def is_jpeg(image: bytes) -> bool:
    return image.startswith(_JPEG)


def length(image: bytes) -> int:
    """How many bytes the picture takes of its file; what follows them is something else. Raises BrokenContainer.

    A JPEG may be followed by others that belong to it: cameras put previews, gain maps and second views there.
    """
    kind = kind_of(image)
    if kind == "png":
        return max(end for _, (_, end) in png_chunks(image))
    if kind == "webp":
        return max(end + end % 2 for _, (_, end) in webp_chunks(image))
    end = _jpeg_end(image, 0)
    with suppress(BrokenContainer):
        while padding := _NEXT_JPEG.match(image, end):
            end = _jpeg_end(image, padding.end())
    return end


def _jpeg_end(image: bytes, at: int) -> int:
    return max(end for _, (_, end) in jpeg_parts(image, at))


def png_chunks(image: bytes) -> Iterator[tuple[bytes, Span]]:
    """Type and span of every chunk, the span from its length to its CRC."""
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        if at + 12 > len(image):
            raise BrokenContainer("The PNG file ends in the middle.")
        size, kind = struct.unpack_from(">I4s", image, at)
        if at + 12 + size > len(image):
            raise BrokenContainer("The PNG file ends in the middle.")
        if (at == len(_PNG)) != (kind == b"IHDR"):
            raise BrokenContainer("The PNG file does not begin with its only header.")
        yield kind, (at, at + 12 + size)
        at += 12 + size


def jpeg_parts(image: bytes, at: int = 0) -> Iterator[tuple[int, Span]]:
    """Marker and span of every segment of the JPEG that starts at `at`, each from its 0xFF to its end.

    A scan's span includes its entropy-coded data. The last part is the end of the image.
    """
    at += 2
    while (found := _MARKER.search(image, at)) is not None:
        marker, start, at = image[found.end() - 1], found.start(), found.end()
        if marker == _END_OF_IMAGE:
            yield marker, (start, at)
            return
        if marker == _START_OF_IMAGE or at + 2 > len(image):
            break
        size = struct.unpack_from(">H", image, at)[0]
        at += size
        if marker == _START_OF_SCAN:
            after = _MARKER.search(image, at)
            at = after.start() if after else len(image) + 1
        if size < 2 or at > len(image):
            break
        yield marker, (start, at)
    raise BrokenContainer("The JPEG file ends in the middle.")


def webp_chunks(image: bytes) -> Iterator[tuple[bytes, Span]]:
    """Type and span of every chunk's data, which an odd length pads with one byte."""
    if len(image) < 12:
        raise BrokenContainer("The WebP file ends in the middle.")
    return riff_chunks(image, 12, 8 + struct.unpack_from("<I", image, 4)[0])


def riff_chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """Type and span of every chunk's data between two positions, at least one."""
    if at + 8 > end:
        raise BrokenContainer("The WebP file has no picture.")
    while at != end:
        if at + 8 > end or end > len(data):
            raise BrokenContainer("The WebP file ends in the middle.")
        kind, size = struct.unpack_from("<4sI", data, at)
        following = at + 8 + size + size % 2
        if following > end:
            raise BrokenContainer("The WebP file ends in the middle.")
        yield kind, (at + 8, at + 8 + size)
        at = following


def riff(kind: bytes, data: bytes) -> bytes:
    """One chunk."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_size(kind: bytes, data: bytes) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha, of a VP8 or VP8L chunk. Raises BrokenContainer."""
    if kind == b"VP8L" and len(data) >= 5 and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    if kind == b"VP8 " and len(data) >= 10 and data[3:6] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 6))
        if width and height:
            return width, height, False
    raise BrokenContainer("The WebP file has no picture.")
