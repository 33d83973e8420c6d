"""Provenance: an image carries its public record as XMP, for every metadata tool and, exactly, for us.

Standard properties say the usual things to everybody; one property of our own holds the whole record as JSON,
from which the table can be rebuilt. Sources: XMP specification parts 1 and 3, IPTC Photo Metadata 2025.1
(AISystemUsed, AIPromptInformation), IPTC NewsCodes digitalsourcetype.
"""

import json
import re
from collections.abc import Mapping
from xml.parsers import expat

from imagetrail import containers

NAMESPACE = "urn:x-imagetrail:1.0:"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

_RECORD = f"{NAMESPACE} record"
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
    if not containers.is_jpeg(image) or len(packet) <= containers.JPEG_PACKET_MAX:
        return containers.put(image, packet)
    extension = (_DOCUMENT % texts).encode()
    note = _property("xmpNote:HasExtendedXMP", containers.guid(extension))
    return containers.put(image, (_PACKET % (_DOCUMENT % (facts + note))).encode(), extension)


def extract(image: bytes) -> dict[str, object]:
    """The record an image carries. Raises NoProvenance, and nothing else, whatever the bytes are."""
    try:
        texts = [text for document in containers.take(image) if (text := _record_text(document))]
        record = json.loads(texts[0])
    except (containers.BrokenContainer, expat.ExpatError, IndexError, ValueError, RecursionError) as error:
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
    inside = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        inside = name == _RECORD
        found.extend(text for key, text in attributes.items() if key == _RECORD)

    def end(_name: str) -> None:
        nonlocal inside
        inside = False

    def text(data: str) -> None:
        if inside:
            found.append(data)

    def refuse(*_declaration: object) -> None:
        raise NoProvenance("The XMP declares a document type.")

    # a fixed encoding, because expat would look up any codec a document names
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    parser.Parse(document, True)  # noqa: FBT003
    return "".join(found)
