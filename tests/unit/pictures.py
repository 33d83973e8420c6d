"""Picture files made by hand: their chunks and segments, whatever a test wants in them."""

import struct
import zlib

import pyvips

from imagetrail.containers import riff

EXIF_TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # orientation 6


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 64, height: int = 64, *, color: int = 2, depth: int = 8, interlaced: int = 0, extra: bytes = b""
) -> bytes:
    """Black, with `extra` chunks before the pixels."""
    row = width * {0: 1, 2: 3, 4: 2, 6: 4}[color] * depth // 8 + 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    pixels = chunk(b"IDAT", zlib.compress(bytes(row * height)))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(extra: bytes = b"", width: int = 64, height: int = 64, **options: object) -> bytes:
    """Black, with `extra` segments at its beginning."""
    image = pyvips.Image.black(width, height, bands=3).copy(interpretation="srgb")
    data = bytes(image.jpegsave_buffer(**options))
    return data[:2] + extra + data[2:]


def webp(*chunks: bytes, flags: int = 0, width: int = 64, height: int = 64) -> bytes:
    """An extended file of these chunks; WEBP_PICTURE is one of a picture."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff(b"RIFF", b"WEBP" + riff(b"VP8X", bytes([flags, 0, 0, 0]) + sides) + b"".join(chunks))


WEBP_PICTURE = bytes(pyvips.Image.black(64, 64, bands=3).copy(interpretation="srgb").webpsave_buffer())[12:]
