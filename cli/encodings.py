"""The character encoding of a file: UTF-8, UTF-16 or UTF-32, Windows-1252, or the one that is given.

A byte order mark decides. Without one, text is UTF-8 where the whole file is, and UTF-16 where every other byte of its
beginning is zero. A file that is not UTF-8 is Windows-1252 only where it reads like a Western European language: no
Cyrillic, Central European or Macintosh text, which would be read as wrong letters without any error. Everything else
needs --encoding.
"""

from __future__ import annotations

import codecs
import re
from io import TextIOWrapper
from typing import IO

from local.problem import ProblemError

_BLOCK = 1 << 20
_FEW = 5  # damaged characters, which also a short file may have
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GIVE = "say which encoding it has, such as --encoding windows-1252"
_HIGH = re.compile(r"[^\x00-\x7f]")
_NOT_OF_FILES = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"}
# In Windows-1252: three letters with accents in a row, a sign within a word, a capital at the end of one, and letters
# that stand for others in Windows-1250, 1257 and 1258 and are rare, or elsewhere in words, in Western languages.
_FOREIGN = re.compile(
    r"[À-ÖØ-öø-ÿ]{3,}"
    r"|(?<=[A-Za-zÀ-ÿ])[¡-©«¬®-³µ¶¸¹»-¿€‚„†‡ˆ‰‹“”•˜™›](?=[A-Za-zÀ-ÿ])"
    r"|(?<=[a-zß-ÿ])[À-ÖØ-ÞŠŒŽŸ]"
    r"|[ìòù](?=[a-zà-ÿšžœ])|õ(?!e)|û(?![tlr\W])|[ýþð]|[ÌÒÞ]"
    r"|[\udc80-\udcff]"
)


def text_of(file: IO[bytes], encoding: str | None) -> tuple[TextIOWrapper, str]:
    """The text of a file from its beginning, line ends as they are, and a note where its encoding was assumed.

    Bytes that are not of the encoding become lone surrogates. Raises ProblemError.
    """
    if encoding is not None:
        name, note = _checked(encoding), ""
        if name in ("utf-16", "utf-32"):
            name = _with_order(name, file)
    else:
        file.seek(0)
        name, note = _detected(file)
    file.seek(0)
    errors = "surrogatepass" if name.startswith(("utf-16", "utf-32")) else "surrogateescape"
    return TextIOWrapper(file, encoding=name, errors=errors, newline=""), note


def _checked(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        if name in _NOT_OF_FILES or (b"a".decode(name) != "a" and not name.startswith(("utf-16", "utf-32"))):
            raise LookupError
    except UnicodeError:
        if not name.startswith(("utf-16", "utf-32")):
            raise ProblemError(f"{encoding} is not an encoding of text") from None
    except (LookupError, ValueError):
        raise ProblemError(f"there is no encoding {encoding}; use a name such as utf-8 or windows-1252") from None
    return "utf-8-sig" if name == "utf-8" else name


def _with_order(name: str, file: IO[bytes]) -> str:
    """The encoding with its order of bytes, by where the zeros of its beginning are, where no mark says it."""
    file.seek(0)
    beginning = file.read(4096)
    if any(beginning.startswith(mark) for mark, marked in _MARKS if marked == name):
        return name
    width = 2 if name == "utf-16" else 4
    return f"{name}-{'be' if beginning[::width].count(0) > beginning[width - 1 :: width].count(0) else 'le'}"


def _detected(file: IO[bytes]) -> tuple[str, str]:
    beginning = file.read(4096)
    for mark, name in _MARKS:
        if beginning.startswith(mark):
            return name, ""
    for name, zeros, others in (
        ("utf-16-le", beginning[1::2], beginning[::2]),
        ("utf-16-be", beginning[::2], beginning[1::2]),
    ):
        if len(beginning) >= 4 and zeros.count(0) * 3 > len(zeros) * 2 and others.count(0) * 50 < len(others):
            return name, ""
    return ("utf-8", "") if _is_utf8(file) else _one_byte(file)


def _is_utf8(file: IO[bytes]) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(_BLOCK):
            if b"\0" in block:
                raise _with_zeros()
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _with_zeros() -> ProblemError:
    return ProblemError(
        "the file is not text: it holds zero bytes; if it is UTF-16 without a byte order mark, give --encoding"
        " utf-16-le or utf-16-be"
    )


def _one_byte(file: IO[bytes]) -> tuple[str, str]:
    """What a file is that is not UTF-8, by all of it."""
    file.seek(0)
    utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    whole = damaged = high = foreign = 0
    while block := file.read(_BLOCK):
        if b"\0" in block:
            raise _with_zeros()
        found = _HIGH.findall(utf8.decode(block))
        escaped = sum("\udc80" <= character <= "\udcff" for character in found)
        whole, damaged = whole + len(found) - escaped, damaged + escaped
        western = block.decode("cp1252", errors="surrogateescape")
        high += len(_HIGH.findall(western))
        foreign += sum(map(len, _FOREIGN.findall(western)))
    if damaged * 20 <= whole or damaged <= min(whole, _FEW):
        return "utf-8", ""  # the rows with the damaged bytes are refused
    if whole:
        raise ProblemError(f"the file mixes UTF-8 with another encoding; {_GIVE}")
    if foreign * 10 > high:
        raise ProblemError(f"the file is neither UTF-8 nor Western European text in Windows-1252; {_GIVE}")
    return "cp1252", "the file is not UTF-8; it is read as Windows-1252 (another encoding: --encoding)"
