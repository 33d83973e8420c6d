"""XMP packets inside PNG, JPEG and WebP files: put in, replaced, taken out. Pixel data is never touched.

PNG: the iTXt chunk `XML:com.adobe.xmp`. JPEG: an APP1 segment, and ExtendedXMP segments for what does not
fit in one. WebP: the `XMP ` chunk of the extended format. Sources: XMP specification part 3 (2020), PNG
third edition, WebP container specification (RFC 9649).
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator

JPEG_PACKET_MAX = 65_502  # bytes of XMP in one APP1 segment

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_PACKET_MAX = 16 * 1024 * 1024
_APP1 = 0xE1
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # 0xFF within a scan: stuffed with 0, or a restart
_STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENDED_PART = 65_400
_WEBP_ALPHA, _WEBP_XMP = 0x10, 0x04

Span = tuple[int, int]


class BrokenContainer(Exception):
    """The bytes are not a whole PNG, JPEG or WebP file, or hold no packet where one is asked for."""


def is_jpeg(image: bytes) -> bool:
    return image.startswith(b"\xff\xd8\xff")


def guid(extension: bytes) -> str:
    """The name under which a standard packet refers to its extension: 32 upper-case digits."""
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()


def put(image: bytes, packet: bytes, extension: bytes = b"") -> bytes:
    """The file with this packet as its only one. Raises BrokenContainer.

    Only JPEG knows an extension; its packet has at most JPEG_PACKET_MAX bytes and names the extension's guid.
    """
    if is_jpeg(image):
        return _put_jpeg(image, packet, extension)
    if image.startswith(_PNG):
        return _put_png(image, packet)
    return _put_webp(image, packet)


def take(image: bytes) -> list[bytes]:
    """The packet, and its extension if it has one. Raises BrokenContainer if there is none."""
    if is_jpeg(image):
        return _take_jpeg(image)
    if image.startswith(_PNG):
        return [_take_png(image)]
    return [_take_webp(image)]


def length(image: bytes) -> int:
    """How many bytes the picture takes of its file; what follows them is something else. Raises BrokenContainer.

    A JPEG may be followed by others that belong to it: cameras put previews and gain maps there.
    """
    if image.startswith(_PNG):
        return [end for _, (_, end) in _png_chunks(image)][-1]
    if not is_jpeg(image):
        _, (_, end) = _webp_chunks(image)[-1]
        return end + end % 2
    end = _jpeg_end(image, 0)
    while image.startswith(b"\xff\xd8\xff", end):
        end = _jpeg_end(image, end)
    return end


def _jpeg_end(image: bytes, at: int) -> int:
    """Where the JPEG that starts at `at` ends: segments are stepped over, and so is what scans are made of."""
    at += 2
    while (marker := _MARKER.search(image, at)) is not None:
        at = marker.end()
        if image[at - 1] == _END_OF_IMAGE:
            return at
        if at + 2 > len(image):
            break
        at += struct.unpack_from(">H", image, at)[0]
    raise BrokenContainer("The JPEG file ends in the middle.")


def _png_chunks(image: bytes) -> Iterator[tuple[bytes, Span]]:
    """Type and span of every chunk, the span from its length to its CRC."""
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        if at + 12 > len(image):
            raise BrokenContainer("The PNG file ends in the middle.")
        length, kind = struct.unpack_from(">I4s", image, at)
        if at + 12 + length > len(image):
            raise BrokenContainer("The PNG file ends in the middle.")
        yield kind, (at, at + 12 + length)
        at += 12 + length


def _is_png_xmp(image: bytes, kind: bytes, at: int) -> bool:
    return kind == b"iTXt" and image.startswith(_PNG_KEYWORD, at + 8)


def _put_png(image: bytes, packet: bytes) -> bytes:
    body = b"iTXt" + _PNG_KEYWORD + b"\0\0\0\0" + packet
    ours = struct.pack(">I", len(packet) + len(_PNG_KEYWORD) + 4) + body + struct.pack(">I", zlib.crc32(body))
    pieces = [memoryview(_PNG)]
    for kind, (start, end) in _png_chunks(image):
        if not _is_png_xmp(image, kind, start):
            pieces.append(memoryview(image)[start:end])
        if kind == b"IHDR":
            pieces.append(memoryview(ours))
    if len(pieces) < 3:
        raise BrokenContainer("The PNG file has no header.")
    return b"".join(pieces)


def _take_png(image: bytes) -> bytes:
    for kind, (start, end) in _png_chunks(image):
        if not _is_png_xmp(image, kind, start):
            continue
        if zlib.crc32(image[start + 4 : end - 4]) != struct.unpack_from(">I", image, end - 4)[0]:
            break
        return _inflate(image[start + 8 + len(_PNG_KEYWORD) : end - 4])
    raise BrokenContainer("The PNG file has no intact XMP.")


def _inflate(text: bytes) -> bytes:
    """An iTXt body behind its keyword: two flags, language and translated keyword, then perhaps zlib."""
    parts = text[2:].split(b"\0", 2)
    if len(parts) != 3:
        raise BrokenContainer("The PNG text chunk is cut short.")
    if text[0] == 0:
        return parts[2]
    try:
        return zlib.decompressobj().decompress(parts[2], _PACKET_MAX)
    except zlib.error as error:
        raise BrokenContainer("The PNG text chunk does not inflate.") from error


def _jpeg_segments(image: bytes) -> Iterator[tuple[int, Span]]:
    """Marker and span of every segment before the first scan, the span from its 0xFF to its end."""
    at = 2
    while True:
        start = at
        while image[at : at + 1] == b"\xff":
            at += 1
        if at == start or at + 3 > len(image):
            raise BrokenContainer("The JPEG file ends before its picture.")
        marker = image[at]
        if marker == _START_OF_SCAN:
            yield marker, (start, len(image))
            return
        end = at + 1 + struct.unpack_from(">H", image, at + 1)[0]
        if end < at + 3 or end > len(image):
            raise BrokenContainer("The JPEG file ends in the middle of a segment.")
        # fill bytes may precede a marker, so the span starts at the last 0xFF
        yield marker, (at - 1, end)
        at = end


def _app1(payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, _APP1, len(payload) + 2) + payload


def _put_jpeg(image: bytes, packet: bytes, extension: bytes) -> bytes:
    if len(packet) > JPEG_PACKET_MAX:
        raise ValueError(f"A JPEG packet has at most {JPEG_PACKET_MAX} bytes.")
    ours = [_app1(_STANDARD + packet)]
    for offset in range(0, len(extension), _EXTENDED_PART):
        place = guid(extension).encode() + struct.pack(">II", len(extension), offset)
        ours.append(_app1(_EXTENDED + place + extension[offset : offset + _EXTENDED_PART]))
    head: list[bytes] = [image[:2]]
    rest: list[bytes] = []
    for marker, (start, end) in _jpeg_segments(image):
        if marker == _APP1 and image.startswith((_STANDARD, _EXTENDED), start + 4):
            continue
        leads = marker == 0xE0 or (marker == _APP1 and image.startswith(b"Exif\0", start + 4))
        (head if leads and not rest else rest).append(image[start:end])
    return b"".join(head + ours + rest)


def _take_jpeg(image: bytes) -> list[bytes]:
    packet, parts = b"", list[bytes]()
    for marker, (start, end) in _jpeg_segments(image):
        payload = image[start + 4 : end] if marker == _APP1 else b""
        if payload.startswith(_STANDARD) and not packet:
            packet = payload.removeprefix(_STANDARD)
        elif payload.startswith(_EXTENDED):
            parts.append(payload.removeprefix(_EXTENDED))
    if not packet:
        raise BrokenContainer("The JPEG file has no XMP.")
    named = [part for part in parts if len(part) > 40 and part[:32] in packet]
    named.sort(key=lambda part: part[36:40])
    extension = b"".join(part[40:] for part in named)
    if named and guid(extension).encode() != named[0][:32]:
        raise BrokenContainer("The JPEG file's extended XMP is incomplete.")
    return [packet, extension] if named else [packet]


def _webp_chunks(image: bytes) -> list[tuple[bytes, Span]]:
    """Type and span of every chunk's data, which an odd length pads with one byte."""
    if not (image.startswith(b"RIFF") and image.startswith(b"WEBP", 8)):
        raise BrokenContainer("The file is not PNG, JPEG or WebP.")
    end = 8 + struct.unpack_from("<I", image, 4)[0]
    chunks, at = [], 12
    while at + 8 <= end <= len(image):
        kind, size = struct.unpack_from("<4sI", image, at)
        chunks.append((kind, (at + 8, at + 8 + size)))
        at += 8 + size + size % 2
    if at != end or not chunks:
        raise BrokenContainer("The WebP file ends in the middle.")
    return chunks


def _webp_header(kind: bytes, data: bytes) -> bytes:
    """A VP8X chunk's data with the XMP flag, from the file's first chunk."""
    if kind == b"VP8X" and len(data) == 10:
        return bytes([data[0] | _WEBP_XMP]) + data[1:]
    if kind == b"VP8L" and len(data) >= 5 and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    elif kind == b"VP8 " and len(data) >= 10 and data[3:6] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 6))
        width, height, alpha = width - 1, height - 1, 0
    else:
        raise BrokenContainer("The WebP file has no picture header.")
    if width < 0 or height < 0:
        raise BrokenContainer("The WebP picture has no pixels.")
    flags = _WEBP_XMP | (_WEBP_ALPHA if alpha else 0)
    return bytes([flags, 0, 0, 0]) + width.to_bytes(3, "little") + height.to_bytes(3, "little")


def _riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _put_webp(image: bytes, packet: bytes) -> bytes:
    chunks = _webp_chunks(image)
    first, (start, end) = chunks[0]
    pieces = [_riff(b"VP8X", _webp_header(first, image[start:end]))]
    pieces += [_riff(kind, image[a:b]) for kind, (a, b) in chunks if kind not in (b"VP8X", b"XMP ")]
    body = b"WEBP" + b"".join([*pieces, _riff(b"XMP ", packet)])
    return _riff(b"RIFF", body)


def _take_webp(image: bytes) -> bytes:
    for kind, (start, end) in _webp_chunks(image):
        if kind == b"XMP ":
            return image[start:end]
    raise BrokenContainer("The WebP file has no XMP.")
