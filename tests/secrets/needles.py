"""The shapes in which a secret may show itself: whole or cut off, as it is or encoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

SHORTEST = 15
"""Bytes. What is shorter would be found by accident; and `search` looks at every 8th position only."""

_PIECE = 20


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must not be found.

    Attributes:
        name: for people; the value is never printed.
        pieces: parts of the value, each of which gives it away: messages are often cut off.
    """

    name: str
    pieces: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        assert min(map(len, self.pieces)) >= SHORTEST, f"{self.name}: cannot be told from chance"

    @classmethod
    def token(cls, name: str, value: str) -> Self:
        """A random text: its beginning and its end."""
        whole = value.encode()
        return cls(name, (whole,) if len(whole) <= _PIECE + 4 else (whole[:_PIECE], whole[-_PIECE:]))

    @classmethod
    def jwt(cls, name: str, value: str) -> Self:
        """A signed token: its head, which all tokens of one cluster share, and its signature.

        Not its claims, which are public without the signature: all accounts of one name end theirs alike.
        """
        head, _claims, signature = value.encode().split(b".")
        return cls(name, (head + b".", signature[:_PIECE], signature[-_PIECE:]))

    @classmethod
    def pem(cls, name: str, value: str) -> Self:
        """A private key as PEM: each of its inner lines, and what they encode."""
        lines = [line.encode() for line in value.splitlines() if line and not line.startswith("-----")]
        inner = lines[1:-1] or lines
        return cls(name, (*inner, *(base64.b64decode(line) for line in inner)))


@dataclass(frozen=True, slots=True)
class Needle:
    """One shape of one secret. ``form`` names the encoding."""

    secret: str
    form: str
    text: bytes = field(repr=False)


def needles(secret: Secret) -> Iterator[Needle]:
    """Every shape of a secret, each once."""
    known: set[bytes] = set()
    for piece in secret.pieces:
        for form, text in _forms(piece):
            if text not in known:
                known.add(text)
                yield Needle(secret.name, form, text)


def _forms(piece: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", piece
    for offset in range(3):
        core = base64_core(piece, offset)
        yield f"base64, {offset} bytes after a group", core
        yield f"URL-safe base64, {offset} bytes after a group", core.translate(_URL_SAFE)
    yield "hex", piece.hex().encode()
    yield "hex, upper case", piece.hex().upper().encode()
    yield "percent-encoded", quote(piece, safe="").encode()
    yield "in JSON", json.dumps(piece.decode("latin-1"))[1:-1].encode()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def base64_core(piece: bytes, offset: int) -> bytes:
    """What of a piece's base64 is the same whatever stands around it.

    Base64 turns groups of 3 bytes into 4 characters. ``offset`` says how many bytes of the group in which the
    piece begins come before it. Characters that also hold bits of a neighbour are left away.
    """
    encoded = base64.b64encode(bytes(offset) + piece)
    first = (offset * 8 + 5) // 6
    return encoded[first : (offset + len(piece)) * 8 // 6]
