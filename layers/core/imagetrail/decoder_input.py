"""Decoder input: a PNG, JPEG or WebP file reduced to the parts that its picture is made of.

Text, thumbnails, further pictures, animation and whatever follows the picture never reach a decoder. Dimensions,
orientation, color profile and the memory that decoding takes are read here, in bounded time and memory.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail import color_profiles
from imagetrail.containers import (
    BrokenContainer,
    jpeg_parts,
    kind_of,
    png_chunks,
    riff,
    riff_chunks,
    webp_chunks,
    webp_size,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_PNG_PARTS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_COLORS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_PNG_SAMPLES = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_PROGRESSIVE, _SCAN, _JFIF, _EXIF, _ICC, _ADOBE = 0xC2, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_APPLICATION = (_JFIF, _EXIF, _ICC, _ADOBE)
_JPEG_PARTS = (*_FRAMES, _SCAN, 0xC4, 0xDB, 0xDD, 0xD9)  # and tables, the restart interval, the end
_WEBP_PARTS = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF")
_ANIMATED, _ALPHA = 0x02, 0x10
_ORIENTATION, _SHORT = 0x112, 3


class UnsupportedImage(Exception):
    """A whole picture of a kind that is not decoded; the message says what to change."""


@dataclass(frozen=True, slots=True)
class DecoderInput:
    """A picture of `kind` ("png", "jpg" or "webp") that is `width` x `height` as it is stored.

    `orientation` is EXIF's, 1 to 8; `profile` an ICC profile, b"" for sRGB. `buffered` bytes are held while it is
    decoded, however small the result is made.
    """

    kind: str
    data: bytes
    width: int
    height: int
    buffered: int
    orientation: int
    profile: bytes
    scans: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as they are seen."""
        return (self.height, self.width) if self.orientation > 4 else (self.width, self.height)


def reduce(source: bytes) -> DecoderInput:
    """The picture of a file, or the first of several. Raises BrokenContainer and UnsupportedImage."""
    try:
        return {"png": _png, "jpg": _jpeg, "webp": _webp}[kind_of(source)](source)
    except struct.error as error:
        raise BrokenContainer("A part of the file is cut short.") from error


def _png(source: bytes) -> DecoderInput:
    data, found = bytearray(source[:8]), dict[bytes, bytes]()
    for kind, (start, end) in png_chunks(source):
        if kind in _PNG_PARTS:
            data += memoryview(source)[start:end]
        if kind in (b"IHDR", b"eXIf", *_PNG_COLORS) and kind not in found:
            found[kind] = source[start + 8 : end - 4]
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", found.get(b"IHDR", b""))
    if b"iCCP" in found:
        found[b"iCCP"] = _inflated(found[b"iCCP"])
    return DecoderInput(
        kind="png",
        data=bytes(data),
        width=width,
        height=height,
        buffered=width * height * _PNG_SAMPLES.get(color, 4) * max(depth // 8, 1) if interlaced else 0,
        orientation=_orientation(found.get(b"eXIf", b"")),
        profile=color_profiles.from_png(found),
    )


def _inflated(chunk: bytes) -> bytes:
    """The profile of an iCCP chunk: a name, the compression method, then zlib."""
    _, _, packed = chunk.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], color_profiles.MAX_BYTES + 1)
    except zlib.error:
        return b""


def _jpeg(source: bytes) -> DecoderInput:
    data, scans, exif, profile = bytearray(source[:2]), list[int](), b"", dict[int, bytes]()
    frame, is_progressive = b"", False
    for marker, (start, end) in jpeg_parts(source):
        payload = source[start + 4 : end] if marker in _APPLICATION or marker in _FRAMES else b""
        if marker in _OTHER_FRAMES:
            raise UnsupportedImage(
                "The JPEG file is lossless, hierarchical or arithmetic-coded. Save it as a baseline JPEG."
            )
        if marker in _FRAMES:
            if frame:
                raise BrokenContainer("The JPEG file has two frames.")
            frame, is_progressive = payload, marker == _PROGRESSIVE
        elif marker == _SCAN:
            scans.append(source[start + 4])
        elif marker == _EXIF and payload.startswith(b"Exif\0\0"):
            exif = exif or payload
        elif marker == _ICC and payload.startswith(b"ICC_PROFILE\0") and len(payload) > 14:
            profile.setdefault(payload[12], payload[13:])
        if (
            marker in _JPEG_PARTS
            or (marker == _JFIF and payload.startswith(b"JFIF\0") and len(payload) == 14)
            or (marker == _ADOBE and payload.startswith(b"Adobe"))
        ):
            data += memoryview(source)[start:end]
    precision, height, width, components = struct.unpack_from(">BHHB", frame)
    if precision != 8:
        raise UnsupportedImage(f"The JPEG file has {precision} bits per sample. Save it with 8.")
    is_buffered = is_progressive or any(count < components for count in scans)
    return DecoderInput(
        kind="jpg",
        data=bytes(data),
        width=width,
        height=height,
        buffered=_coefficients(frame, width, height) if is_buffered else 0,
        scans=len(scans),
        orientation=_orientation(exif),
        profile=_joined(profile),
    )


def _joined(parts: dict[int, bytes]) -> bytes:
    """The profile of numbered segments, each of which begins with their count; b"" if one is missing."""
    count = parts[1][0] if 1 in parts else 0
    if any(number not in parts for number in range(1, count + 1)):
        return b""
    return b"".join(parts[number][1:] for number in range(1, count + 1))


def _coefficients(frame: bytes, width: int, height: int) -> int:
    """Bytes of all coefficients, which are held until the last of several scans."""
    sampling = [(frame[at] >> 4 or 1, frame[at] & 15 or 1) for at in range(7, len(frame), 3)]
    across, down = (max((factors[n] for factors in sampling), default=1) for n in (0, 1))
    mcus = -(-width // (8 * across)) * -(-height // (8 * down))
    return mcus * sum(128 * one * other for one, other in sampling)


def _webp(source: bytes) -> DecoderInput:
    found = _first_chunks(source, webp_chunks(source))
    canvas = found.get(b"VP8X")
    frame = found.get(b"ANMF") if _ANIMATED & (canvas or b"\0")[0] else None
    parts = found if frame is None else _first_chunks(frame, riff_chunks(frame, 16, len(frame)))
    kind = b"VP8L" if b"VP8L" in parts else b"VP8 "
    width, height, _ = webp_size(kind, parts.get(kind, b""))
    picture = riff(kind, parts[kind])
    flags = _ALPHA if kind == b"VP8 " and b"ALPH" in parts else 0
    if flags:
        picture = riff(b"ALPH", parts[b"ALPH"]) + picture
    if canvas is not None:
        size = tuple(int.from_bytes(canvas[at : at + 3], "little") + 1 for at in (4, 7))
        if frame is None and size != (width, height):
            raise BrokenContainer("The WebP file's canvas is not of the size of its picture.")
        width, height = size
    if frame is not None:
        picture = riff(b"ANIM", found.get(b"ANIM", bytes(6))) + riff(b"ANMF", frame[:16] + picture)
        flags = _ALPHA | _ANIMATED
    if flags:
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        picture = riff(b"VP8X", bytes([flags, 0, 0, 0]) + sides) + picture
    return DecoderInput(
        kind="webp",
        data=riff(b"RIFF", b"WEBP" + picture),
        width=width,
        height=height,
        buffered=width * height * (1 if kind == b"VP8 " and frame is None else 4),
        orientation=_orientation(found.get(b"EXIF", b"")),
        profile=found.get(b"ICCP", b""),
    )


def _first_chunks(data: bytes, chunks: Iterator[tuple[bytes, tuple[int, int]]]) -> dict[bytes, bytes]:
    """The data of the first chunk of each type that matters."""
    found = dict[bytes, bytes]()
    for kind, (start, end) in chunks:
        if kind in _WEBP_PARTS and kind not in found:
            found[kind] = data[start:end]
    return found


def _orientation(exif: bytes) -> int:
    """The orientation that EXIF states in its first directory; 1, upright, if it states none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
