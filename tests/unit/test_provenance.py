"""The record inside the pixels: exact for us, readable for every metadata tool, invisible in the picture."""

import json
import struct
import subprocess
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import pyvips
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imagetrail import pixels, provenance, xmp
from imagetrail.models.painter import scenes
from tests.unit.pictures import chunk

FORMATS = ["png", "jpg", "webp"]
RECORD: dict[str, object] = {
    "id": "01932f5e-7c3a-7b61-9d2e-0a4f5b6c7d8e",
    "prompt": 'A lighthouse <at> dawn & "calm" sea 🌊 — ضوء \u202eabc\u202c',
    "full_prompt": "Brand: Nørd. Vibe: calm. UNIQUE ELEMENTS: a, b. A lighthouse",
    "provider": "stability",
    "model": "stable-image-core",
    "seed": 4_294_967_295,
    "dataset_id": None,
    "style": "photographic",
    "aspect_ratio": "1:1",
    "created_at": "2025-06-01T12:34:56.123456Z",
    "cost_usd": 0.03,
}
LONG_PROMPT = "🦊" * 10_000
scalars: st.SearchStrategy[object] = st.none() | st.booleans() | st.integers(-(2**63), 2**64)
scalars |= st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(st.text(max_size=12), json_values, max_size=6)
few = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


@cache
def picture(image_format: str, side: int = 64) -> bytes:
    svg = scenes.paint("a quiet lake", 7, side, side)
    return pixels.encode(svg, side, side, image_format, trusted_svg=True).data


@cache
def carrier(image_format: str) -> bytes:
    return provenance.embed(picture(image_format), RECORD)


def rgba(image: bytes) -> bytes:
    return bytes(pyvips.Image.new_from_buffer(image, "").write_to_memory())


@pytest.mark.parametrize("image_format", FORMATS)
@few
@given(record=records)
@example(record={"prompt": LONG_PROMPT, "full_prompt": "Brand: x. " + LONG_PROMPT, "id": "1"})
@example(record={"prompt": "\x00\x1b\r\n\r\t\x7f\x85\u2028\ufffe]]>&amp;<!--", "full_prompt": "\r"})
@example(record={})
def test_any_record_comes_back_exactly(image_format: str, record: dict[str, object]) -> None:
    assert provenance.extract(provenance.embed(picture(image_format), record)) == record


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("prompt", ["short", LONG_PROMPT], ids=["short", "10,000 emoji"])
def test_pixels_are_untouched_and_libvips_reads_the_packet(image_format: str, prompt: str) -> None:
    image = picture(image_format)
    marked = provenance.embed(image, RECORD | {"prompt": prompt, "full_prompt": prompt})
    assert rgba(marked) == rgba(image)
    assert b"imagetrail" in pyvips.Image.new_from_buffer(marked, "").get("xmp-data")


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_second_record_replaces_the_first(image_format: str) -> None:
    long = provenance.embed(picture(image_format), {"prompt": LONG_PROMPT, "full_prompt": LONG_PROMPT})
    assert provenance.embed(long, RECORD) == carrier(image_format)


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_image_without_a_record_says_so(image_format: str) -> None:
    with pytest.raises(provenance.NoProvenance):
        provenance.extract(picture(image_format))


def test_left_out_prompts_are_nowhere_in_the_file() -> None:
    quiet = {key: value for key, value in RECORD.items() if key not in {"prompt", "full_prompt"}}
    marked = provenance.embed(picture("png"), quiet)
    assert b"lighthouse" not in marked
    assert b"description" not in marked
    assert provenance.extract(marked) == quiet


@pytest.mark.parametrize(
    ("source", "term"),
    [("procedural", b"/algorithmicMedia<"), ("stability", b"/trainedAlgorithmicMedia<")],
)
def test_only_trained_models_are_declared_as_trained(source: str, term: bytes) -> None:
    assert term in provenance.embed(picture("png"), RECORD | {"provider": source})


@pytest.mark.parametrize("image_format", ["lossless", "alpha", "alpha-lossless"])
def test_webp_of_every_kind_keeps_its_alpha_and_size(image_format: str) -> None:
    image = pyvips.Image.new_from_buffer(picture("png"), "").crop(0, 0, 63, 41)
    if "alpha" in image_format:
        image = image.bandjoin(pyvips.Image.xyz(63, 41)[0] * 4).cast("uchar")
    plain = image.copy(interpretation="srgb").webpsave_buffer(lossless="lossless" in image_format, keep="none")
    marked = provenance.embed(plain, RECORD)
    loaded = pyvips.Image.new_from_buffer(marked, "")
    assert (loaded.width, loaded.height, loaded.hasalpha()) == (63, 41, "alpha" in image_format)
    assert marked[12:16] == b"VP8X"
    assert bool(marked[20] & 0x10) == ("alpha" in image_format)
    assert rgba(marked) == rgba(plain)
    assert provenance.extract(marked) == RECORD


def test_a_jpeg_keeps_jfif_first_and_all_other_segments() -> None:
    bare = picture("jpg")
    jfif = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    image = bare[:2] + jfif + bare[2:]
    marked = provenance.embed(image, RECORD)
    at = 2 + len(jfif)
    size = struct.unpack_from(">H", marked, at + 2)[0]
    assert marked.startswith(b"http://ns.adobe.com/xap/1.0/", at + 4)
    assert marked[:at] + marked[at + 2 + size :] == image


def test_a_compressed_png_packet_is_read() -> None:
    packet = zlib.compress(xmp.extract_xmp(carrier("png"))[0])
    body = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    image = picture("png")
    assert provenance.extract(image[:33] + chunk + image[33:]) == RECORD


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE x [<!ENTITY a "{}">]><x xmlns:t="urn:x-imagetrail:1.0:"><t:record>&a;</t:record></x>',
        b'<?xml version="1.0" encoding="idna"?><x/>',
        b'<x xmlns:t="urn:x-imagetrail:1.0:"><t:record>[]</t:record></x>',
        b'<x xmlns:t="urn:x-imagetrail:1.0:"><t:record>' + b"[" * 200_000 + b"</t:record></x>",
        b'<x xmlns:t="urn:x-imagetrail:1.0:"><t:record>' + b"9" * 5_000 + b"</t:record></x>",
        b'<x xmlns:t="urn:x-imagetrail:1.0:"><t:record>{"id":"1"}',
        b"<x>" * 20_000,
        b"\xff\xfe",
        b"",
    ],
    ids=["doctype", "codec", "list", "deep", "long number", "unclosed", "deep XML", "not utf-8", "empty"],
)
def test_a_hostile_packet_is_no_provenance(packet: bytes) -> None:
    with pytest.raises(provenance.NoProvenance):
        provenance.extract(xmp.embed_xmp(picture("png"), packet))


def test_a_record_that_another_tool_rewrote_as_an_attribute_is_read() -> None:
    packet = b"""<x xmlns:t="urn:x-imagetrail:1.0:" t:record='{"id":"1"}'/>"""
    assert provenance.extract(xmp.embed_xmp(picture("webp"), packet)) == {"id": "1"}


ELSEWHERE = '<x:xmpmeta xmlns:x="adobe:ns:meta/">%s</x:xmpmeta>'


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize(
    "packet",
    [
        ELSEWHERE % """<r xmlns:a="urn:x-imagetrail:1.0:/" a:record='{"id":"1"}'/>""",
        ELSEWHERE % """<a:record xmlns:a="urn:x-imagetrail:1.0:/">{"id":"1"}</a:record>""",
        ELSEWHERE % """<a:record xmlns:a="urn:x-imagetrail:1.0:#"> <![CDATA[{"id":"1"}]]> </a:record>""",
        ELSEWHERE % """<record xmlns="urn:x-imagetrail:1.0:"><Alt><li>{"id":"1"}</li></Alt></record>""",
        ELSEWHERE % """<r xmlns:a="urn:x-imagetrail:1.0:" a:record='{"id":"1"}'><a:record>{"id":"1"}</a:record></r>""",
        ELSEWHERE % """<a:record xmlns:a="urn:x-imagetrail:1.0:">{"id":"1"}</a:record>""" + " \n" * 2000 + "\0",
        "\ufeff" + ELSEWHERE % """<a:record xmlns:a="urn:x-imagetrail:1.0:">{"id":"1"}</a:record>""",
    ],
    ids=["attribute", "slash", "cdata", "nested", "twice", "padding", "mark"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-32"])
def test_a_record_is_found_after_another_tools_edit(image_format: str, packet: str, encoding: str) -> None:
    marked = xmp.embed_xmp(picture(image_format), packet.encode(encoding))
    assert provenance.extract(marked) == {"id": "1"}


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
def test_a_raw_profile_in_a_png_is_read_and_replaced(kind: bytes) -> None:
    packet = xmp.extract_xmp(carrier("png"))[0]
    digits = packet.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\nxmp\n{len(packet):8}\n{lines}\n".encode()
    body = b"Raw profile type xmp\0" + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text)
    image = picture("png")
    raw = image[:33] + chunk(kind, body) + image[33:]
    assert provenance.extract(raw) == RECORD
    assert provenance.embed(raw, RECORD) == carrier("png")


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["exiv2", "-M", "set Xmp.xmp.Rating 5"], marks=pytest.mark.needs("exiv2")),
        pytest.param(["exiftool", "-overwrite_original", "-XMP:Rating=5"], marks=pytest.mark.needs("exiftool")),
        pytest.param(
            ["exiftool", "-overwrite_original", "-api", "Compact=All", "-XMP:Rating=5"],
            marks=pytest.mark.needs("exiftool"),
        ),
    ],
    ids=["exiv2", "exiftool", "exiftool compact"],
)
@pytest.mark.parametrize("prompt", ["short", LONG_PROMPT], ids=["short", "10,000 emoji"])
def test_a_real_tools_edit_keeps_the_record(tmp_path: Path, image_format: str, command: list[str], prompt: str) -> None:
    record = RECORD | {"prompt": prompt, "full_prompt": prompt}
    path = tmp_path / f"picture.{image_format}"
    path.write_bytes(provenance.embed(picture(image_format), record))
    subprocess.run([*command, path], check=True, capture_output=True)
    edited = path.read_bytes()
    assert b"Rating" in b"".join(xmp.extract_xmp(edited))
    assert provenance.extract(edited) == record


@pytest.mark.parametrize("image_format", FORMATS)
@few
@given(data=st.data())
def test_damage_never_raises_anything_but_no_provenance(image_format: str, data: st.DataObject) -> None:
    image = bytearray(carrier(image_format))
    for _ in range(data.draw(st.integers(0, 4))):
        image[data.draw(st.integers(0, min(len(image) - 1, 600)))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(image)))
    with suppress(provenance.NoProvenance):
        assert isinstance(provenance.extract(bytes(image[:length])), dict)


@few
@given(head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"]), tail=st.binary(max_size=200))
def test_any_bytes_are_no_provenance(head: bytes, tail: bytes) -> None:
    with pytest.raises(provenance.NoProvenance):
        provenance.extract(head + tail)


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("prompt", ["short", LONG_PROMPT], ids=["short", "10,000 emoji"])
@pytest.mark.needs("exiftool")
def test_exiftool_reads_the_standard_properties(image_format: str, prompt: str) -> None:
    text = prompt + " <&>\x00é"
    marked = provenance.embed(picture(image_format), RECORD | {"prompt": text, "full_prompt": "Vibe. " + text})
    command = [
        "exiftool",
        "-json",
        "-G1",
        "-struct",
        "-validate",
        "-warning",
        "-error",
        "-a",
        "-XMP:all",
        "-",
    ]
    (tags,) = json.loads(subprocess.run(command, input=marked, capture_output=True, check=True).stdout)
    shown = text.replace("\x00", "\ufffd")
    assert tags["XMP-dc:Description"] == shown
    assert tags["XMP-iptcExt:AIPromptInformation"] == "Vibe. " + shown
    assert tags["XMP-iptcExt:AISystemUsed"] == "stable-image-core (stability)"
    assert tags["XMP-xmp:CreatorTool"] == "imagetrail"
    assert tags["XMP-xmp:CreateDate"].startswith("2025:06:01 12:34:56")
    assert tags["XMP-xmpMM:DocumentID"] == f"uuid:{RECORD['id']}"
    assert "XMP-dc:Creator" not in tags
    assert "ExifTool:Error" not in tags
    assert "ExifTool:Warning" not in tags
