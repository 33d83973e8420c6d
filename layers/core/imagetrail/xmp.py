"""XMP packets inside PNG, JPEG and WebP files: embed, replace, extract. Pixel data is never touched.

PNG: the iTXt chunk `XML:com.adobe.xmp`, or the text `Raw profile type xmp` that ImageMagick makes of it. JPEG: an APP1
segment, and ExtendedXMP segments for what does not fit in one. WebP: the `XMP ` chunk of the extended format. Sources:
XMP specification part 3 (2020), PNG third edition, WebP container specification (RFC 9649).
"""

import hashlib
import re
import struct
import zlib

from imagetrail.containers import BrokenContainer, jpeg_parts, kind_of, png_chunks, riff, webp_chunks, webp_size

JPEG_PACKET_MAX = 65_502  # bytes of XMP in one APP1 segment

_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_RAW_KEYWORD = b"Raw profile type xmp\0"
_RAW_PROFILE = re.compile(rb"\s*+xmp\s++\d++\s++([0-9A-Fa-f\s]++)\0*+")
_PACKET_MAX = 4 * 1024 * 1024
_APP0, _APP1, _START_OF_SCAN = 0xE0, 0xE1, 0xDA
_STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENDED_PART = 65_400
_ALPHA_FLAG, _XMP_FLAG = 0x10, 0x04


def guid(extension: bytes) -> str:
    """The name under which a standard packet refers to its extension: 32 upper-case digits."""
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()


def embed_xmp(image: bytes, packet: bytes, extension: bytes = b"") -> bytes:
    """The file with this packet as its only one. Raises BrokenContainer.

    Only JPEG knows an extension; its packet has at most JPEG_PACKET_MAX bytes and names the extension's guid.
    """
    kind = kind_of(image)
    if kind == "jpg":
        return _embed_in_jpeg(image, packet, extension)
    return _embed_in_png(image, packet) if kind == "png" else _embed_in_webp(image, packet)


def extract_xmp(image: bytes) -> list[bytes]:
    """The XMP documents of a file, at most two: a packet and its extension, or the same in two notations.

    Raises BrokenContainer.
    """
    extract = {"png": _extract_from_png, "jpg": _extract_from_jpeg, "webp": _extract_from_webp}[kind_of(image)]
    return extract(image)


def _png_xmp(image: bytes, kind: bytes, at: int) -> bytes:
    """The keyword by which a chunk holds XMP; b"" if it holds something else."""
    if kind == b"iTXt" and image.startswith(_PNG_KEYWORD, at + 8):
        return _PNG_KEYWORD
    return _RAW_KEYWORD if kind in (b"tEXt", b"zTXt", b"iTXt") and image.startswith(_RAW_KEYWORD, at + 8) else b""


def _embed_in_png(image: bytes, packet: bytes) -> bytes:
    body = b"iTXt" + _PNG_KEYWORD + b"\0\0\0\0" + packet
    ours = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    made = bytearray(image[:8])
    for kind, (start, end) in png_chunks(image):
        if not _png_xmp(image, kind, start):
            made += memoryview(image)[start:end]
        if kind == b"IHDR":
            made += ours
    return bytes(made)


def _extract_from_png(image: bytes) -> list[bytes]:
    found = dict[bytes, bytes]()
    for kind, (start, end) in png_chunks(image):
        keyword = _png_xmp(image, kind, start)
        if not keyword or keyword in found:
            continue
        if zlib.crc32(memoryview(image)[start + 4 : end - 4]) == struct.unpack_from(">I", image, end - 4)[0]:
            found[keyword] = _png_text(kind, image[start + 8 + len(keyword) : end - 4])
        if len(found) == 2:
            break
    if raw := _RAW_PROFILE.fullmatch(found.pop(_RAW_KEYWORD, b"")):
        digits = b"".join(raw[1].split())
        found[_RAW_KEYWORD] = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    return list(found.values())


def _png_text(kind: bytes, body: bytes) -> bytes:
    """The text behind a chunk's keyword, inflated if it is compressed; b"" if it is damaged."""
    is_packed, text = kind == b"zTXt", body
    if kind == b"iTXt":  # two flags, language and translated keyword
        is_packed, (*_, text) = body[:1] == b"\1", body[2:].split(b"\0", 2)
    elif is_packed:
        text = body[1:]
    if not is_packed:
        return text
    try:
        return zlib.decompressobj().decompress(text, 2 * _PACKET_MAX)
    except zlib.error:
        return b""


def _app1(payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, _APP1, len(payload) + 2) + payload


def _embed_in_jpeg(image: bytes, packet: bytes, extension: bytes) -> bytes:
    if len(packet) > JPEG_PACKET_MAX:
        raise ValueError(f"A JPEG packet has at most {JPEG_PACKET_MAX} bytes.")
    ours = [_app1(_STANDARD + packet)]
    for offset in range(0, len(extension), _EXTENDED_PART):
        place = guid(extension).encode() + struct.pack(">II", len(extension), offset)
        ours.append(_app1(_EXTENDED + place + extension[offset : offset + _EXTENDED_PART]))
    head, rest = bytearray(image[:2]), bytearray()
    for marker, (start, end) in jpeg_parts(image):
        if marker == _START_OF_SCAN:
            return b"".join((head, *ours, rest, memoryview(image)[start:]))
        if marker == _APP1 and image.startswith((_STANDARD, _EXTENDED), start + 4):
            continue
        leads = marker == _APP0 or (marker == _APP1 and image.startswith(b"Exif\0", start + 4))
        if leads and not rest:
            head += memoryview(image)[start:end]
        else:
            rest += memoryview(image)[start:end]
    raise BrokenContainer("The JPEG file has no picture.")


def _extract_from_jpeg(image: bytes) -> list[bytes]:
    packet, parts = b"", list[bytes]()
    for marker, (start, end) in jpeg_parts(image):
        if marker == _START_OF_SCAN:
            break
        payload = image[start + 4 : end] if marker == _APP1 else b""
        if payload.startswith(_STANDARD) and not packet:
            packet = payload.removeprefix(_STANDARD)
        elif payload.startswith(_EXTENDED):
            parts.append(payload.removeprefix(_EXTENDED))
    named = [part for part in parts if len(part) > 40 and part[:32] in packet]
    named.sort(key=lambda part: part[36:40])
    extension = b"".join(part[40:] for part in named)
    if named and guid(extension).encode() != named[0][:32]:
        raise BrokenContainer("The JPEG file's extended XMP is incomplete.")
    return [document for document in (packet, extension) if document]


def _embed_in_webp(image: bytes, packet: bytes) -> bytes:
    made = bytearray()
    for kind, (start, end) in webp_chunks(image):
        data = image[start:end]
        if not made:
            made += riff(b"VP8X", _webp_header(kind, data))
        if kind not in (b"VP8X", b"XMP "):
            made += riff(kind, data)
    return riff(b"RIFF", b"WEBP" + made + riff(b"XMP ", packet))


def _webp_header(kind: bytes, data: bytes) -> bytes:
    """A VP8X chunk's data with the XMP flag, from the file's first chunk."""
    if kind == b"VP8X" and len(data) == 10:
        return bytes([data[0] | _XMP_FLAG]) + data[1:]
    width, height, has_alpha = webp_size(kind, data)
    flags = _XMP_FLAG | (_ALPHA_FLAG if has_alpha else 0)
    return bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _extract_from_webp(image: bytes) -> list[bytes]:
    return next(([image[start:end]] for kind, (start, end) in webp_chunks(image) if kind == b"XMP "), [])
