"""Provenance: an image carries its public record as XMP, for every metadata tool and, exactly, for us.

Standard properties say the usual things to everybody; one property of our own holds the whole record as JSON,
from which the table can be rebuilt. Sources: XMP specification parts 1 and 3, IPTC Photo Metadata 2025.1
(AISystemUsed, AIPromptInformation), IPTC NewsCodes digitalsourcetype.
"""

import json
import re
from collections.abc import Mapping
from xml.parsers import expat

from imagetrail import containers, xmp

NAMESPACE = "urn:x-imagetrail:1.0:"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

_MAX_DEPTH = 100
_ENCODINGS = {  # by how a document starts, the longest first: with a byte order mark or a tag
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\x00<": "utf-32-be",
    b"<\x00\x00\x00": "utf-32-le",
    b"\xfe\xff": "utf-16",
    b"\xff\xfe": "utf-16",
    b"\x00<": "utf-16-be",
    b"<\x00": "utf-16-le",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})
_DOCUMENT = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"'
    ' xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    f' xmlns:imagetrail="{NAMESPACE}">%s</rdf:Description></rdf:RDF></x:xmpmeta>'
)
_PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>%s<?xpacket end="r"?>'


class NoProvenance(Exception):
    """The image carries no record, or a broken one."""


def embed(image: bytes, record: Mapping[str, object]) -> bytes:
    """The same PNG, JPEG or WebP with this record as its XMP, in place of any other; no pixel changes.

    `prompt` and `full_prompt` may be absent. Raises containers.BrokenContainer for anything else than a
    whole image, ValueError for a record that is not JSON.
    """
    facts, texts = _facts(record), _texts(record)
    packet = (_PACKET % (_DOCUMENT % (facts + texts))).encode()
    if not containers.is_jpeg(image) or len(packet) <= xmp.JPEG_PACKET_MAX:
        return xmp.embed_xmp(image, packet)
    extension = (_DOCUMENT % texts).encode()
    note = _property("xmpNote:HasExtendedXMP", xmp.guid(extension))
    return xmp.embed_xmp(image, (_PACKET % (_DOCUMENT % (facts + note))).encode(), extension)


def extract(image: bytes) -> dict[str, object]:
    """The record an image carries. Raises NoProvenance, and nothing else, whatever the bytes are."""
    try:
        texts = (text for document in xmp.extract_xmp(image) if (text := _record_text(document)))
        record = json.loads(next(texts, ""))
    except (containers.BrokenContainer, expat.ExpatError, ValueError, RecursionError) as error:
        raise NoProvenance("The image carries no intact record.") from error
    if not isinstance(record, dict):
        raise NoProvenance("The image carries something else than a record.")
    return record


def _facts(record: Mapping[str, object]) -> str:
    """The short properties, which a JPEG holds in its first segment."""
    provider, model = record.get("provider"), record.get("model")
    source = "algorithmicMedia" if provider == "procedural" else "trainedAlgorithmicMedia"
    system = f"{model} ({provider})" if model and provider and model != provider else model or provider
    return (
        _property("xmp:CreatorTool", "imagetrail")
        + _property("xmp:CreateDate", record.get("created_at"))
        + _property("xmpMM:DocumentID", f"uuid:{record['id']}" if record.get("id") else None)
        + _property("Iptc4xmpExt:DigitalSourceType", SOURCE_TYPES + source)
        + _property("Iptc4xmpExt:AISystemUsed", system)
    )


def _texts(record: Mapping[str, object]) -> str:
    """The long properties: the prompts and the record itself."""
    prompt = record.get("prompt")
    described = f'<rdf:Alt><rdf:li xml:lang="x-default">{_escape(prompt)}</rdf:li></rdf:Alt>'
    return (
        (f"<dc:description>{described}</dc:description>" if prompt is not None else "")
        + _property("Iptc4xmpExt:AIPromptInformation", record.get("full_prompt"))
        + _property("imagetrail:record", json.dumps(dict(record), separators=(",", ":"), allow_nan=False))
    )


def _property(name: str, value: object) -> str:
    return "" if value is None else f"<{name}>{_escape(value)}</{name}>"


def _escape(value: object) -> str:
    return _NOT_XML.sub("\ufffd", str(value)).translate(_ESCAPES)


def _record_text(document: bytes) -> str:
    """Our property's text, written as an element or, by another tool, as an attribute; "" if it is absent."""
    found: list[str] = []
    depth = record_depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, record_depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise NoProvenance("The XMP is nested too deeply.")
        if not found and not record_depth:
            found.extend([text for key, text in attributes.items() if _is_record(key)][:1])
            record_depth = depth if _is_record(name) and not found else 0

    def end(_name: str) -> None:
        nonlocal depth, record_depth
        record_depth = 0 if depth == record_depth else record_depth
        depth -= 1

    def text(data: str) -> None:
        if record_depth:
            found.append(data)

    def refuse(*_declaration: object) -> None:
        raise NoProvenance("The XMP declares a document type.")

    # a fixed encoding, because expat would look up any codec a document names
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    parser.Parse(_utf_8(document), True)  # noqa: FBT003
    return "".join(found)


def _is_record(name: str) -> bool:
    """Whether an expanded name is our property's; exiv2 ends namespaces in `/`."""
    namespace, _, local = name.rpartition(" ")
    return local == "record" and namespace.rstrip("/#") == NAMESPACE


def _utf_8(document: bytes) -> bytes:
    """An XMP document without padding, from any of the encodings that the XMP specification allows."""
    for start, encoding in _ENCODINGS.items():
        if document.startswith(start):
            document = document.decode(encoding).encode()
            break
    return document.removeprefix(b"\xef\xbb\xbf").strip(b"\0\t\n\r ")
