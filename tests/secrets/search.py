"""Finds secrets in bytes, also inside what is packed in them: base64, pickles, compressed data."""

from __future__ import annotations

import base64
import lzma
import pickletools
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.secrets.needles import SHORTEST, Needle, Secret, needles

Stream = tuple[str, bytes]
"""Where something was read, for people, and what."""

_GRAM = 8
# Every needle then has one of these at a position that is looked at, however it lies in the data.
assert SHORTEST >= 2 * _GRAM - 1

_DEEPEST = 4
_LARGEST = 64 * 1024 * 1024
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_BETWEEN = re.compile(rb"\s+|\\n|\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret that was found. It does not hold the value."""

    place: str
    where: str
    secret: str
    form: str

    def __str__(self) -> str:
        return f"{self.secret} ({self.form}) in {self.place}: {self.where}"


class Searcher:
    """Looks for a set of secrets. The more there are, the longer it does not take."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self.secrets = tuple(secrets)
        assert self.secrets, "who looks for nothing finds nothing"
        self._grams: dict[bytes, list[Needle]] = {}
        for secret in self.secrets:
            for needle in needles(secret):
                for start in range(len(needle.text) - _GRAM + 1):
                    self._grams.setdefault(needle.text[start : start + _GRAM], []).append(needle)

    def find(self, place: str, streams: Iterable[Stream]) -> list[Finding]:
        """Everything that is found, each secret once a stream and encoding."""
        found: dict[Finding, None] = {}
        for where, data in streams:
            for layer, content in unpacked(data):
                for needle in self._in(content):
                    form = f"{needle.form}{layer}"
                    found[Finding(place, where, needle.secret, form)] = None
        return list(found)

    def _in(self, data: bytes) -> Iterator[Needle]:
        grams = self._grams
        hits = [at for at in range(0, len(data), _GRAM) if data[at : at + _GRAM] in grams]
        for at in hits:
            for needle in grams[data[at : at + _GRAM]]:
                reach = len(needle.text)
                if needle.text in data[max(0, at - reach) : at + _GRAM + reach]:
                    yield needle


def unpacked(data: bytes, layer: str = "", depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """The data itself, then whatever is packed in it, with words that say how it was got at."""
    yield layer, data
    joined = _BETWEEN.sub(b"", data)
    if joined != data:
        # A terminal, a PEM file and MIME break long words into lines.
        yield f"{layer}, broken into lines", joined
    if depth == _DEEPEST:
        return
    for kind, content in _contents(data, joined):
        yield from unpacked(content, f"{layer}, {kind}", depth + 1)


def _contents(data: bytes, joined: bytes) -> Iterator[tuple[str, bytes]]:
    decompressed = _decompressed(data)
    if decompressed is not None:
        yield "compressed", decompressed
        return
    if data[:1] == b"\x80":
        for part in _parts_of_pickle(data):
            yield "in a pickle", part
    runs = {run.group() for text in {data, joined} for run in _BASE64.finditer(text)}
    for run in runs:
        # A run may begin in the middle of a word that is not base64: the four ways to cut it.
        for start in range(4):
            yield "in base64", _from_base64(run[start:])


def _from_base64(run: bytes) -> bytes:
    # A last character alone holds no whole byte.
    usable = run[: len(run) - (len(run) % 4 == 1)].translate(_STANDARD)
    return base64.b64decode(usable + b"=" * (-len(usable) % 4))


def _decompressed(data: bytes) -> bytes | None:
    try:
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(data, _LARGEST)
        if data[:1] == b"\x78" and len(data) > 2 and int.from_bytes(data[:2]) % 31 == 0:
            return zlib.decompressobj().decompress(data, _LARGEST)
        if data.startswith(b"\xfd7zXZ\x00"):
            return lzma.LZMADecompressor().decompress(data, _LARGEST)
    except (zlib.error, OSError, lzma.LZMAError, EOFError):
        return None
    return None


def _parts_of_pickle(data: bytes) -> Iterator[bytes]:
    """Texts and bytes of a pickle, which is read and never loaded."""
    try:
        for _, argument, _ in pickletools.genops(data):
            if isinstance(argument, str):
                yield argument.encode("utf-8", "surrogatepass")
            elif isinstance(argument, bytes | bytearray):
                yield bytes(argument)
    except (ValueError, UnicodeDecodeError, IndexError, OverflowError):
        return  # it only looked like one
