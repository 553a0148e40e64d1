"""The search finds a secret in every shape, and nothing where there is none."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import lzma
import pickle
import secrets
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from prefect.serializers import CompressedSerializer, JSONSerializer, PickleSerializer

from sandbox.certificates import CertificateAuthority
from tests.secrets.needles import Secret
from tests.secrets.search import Searcher

VALUE = "s." + secrets.token_hex(11) + "~?>+/"
ODD = b"\xfb\xef\xbe\xff"
"""Becomes ``++++/`` or ``----_`` in base64."""


def found(data: bytes, *known: Secret) -> set[str]:
    searcher = Searcher(known or [Secret.token("token", VALUE)])
    return {finding.secret for finding in searcher.find("here", [("stream", data)])}


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda value: value,
    "base64": base64.b64encode,
    "base64 after 1 byte": lambda value: base64.b64encode(b"x" + value),
    "base64 after 2 bytes": lambda value: base64.b64encode(b"xy" + value),
    "base64 before more": lambda value: base64.b64encode(value + b"and more"),
    "URL-safe base64": base64.urlsafe_b64encode,
    "URL-safe base64 after 1 byte": lambda value: base64.urlsafe_b64encode(ODD + value),
    "URL-safe base64 after 2 bytes": lambda value: base64.urlsafe_b64encode(ODD[1:] + b"xy" + value),
    "base64 in lines": lambda value: base64.encodebytes(bytes(40) + value + bytes(40)),
    "base64 in lines in JSON": lambda value: json.dumps(
        base64.encodebytes(bytes(40) + value + bytes(40)).decode()
    ).encode(),
    "base64 twice": lambda value: base64.b64encode(b"k: " + base64.b64encode(b"k: " + value)),
    "base64 twice in the middle of a word": lambda value: (
        b"abc" + base64.b64encode(b"key: " + base64.b64encode(value))
    ),
    "hex": lambda value: value.hex().encode(),
    "hex, upper case": lambda value: value.hex().upper().encode(),
    "percent-encoded": lambda value: quote(value, safe="").encode(),
    "in JSON": lambda value: json.dumps({"token": value.decode()}).encode(),
    "in JSON in JSON": lambda value: json.dumps(json.dumps({"token": value.decode()})).encode(),
    "repr": lambda value: repr({"token": value}).encode(),
    "pickle": lambda value: pickle.dumps({"token": value.decode()}),
    "old pickle": lambda value: pickle.dumps({"token": value.decode()}, protocol=2),
    "base64 of a pickle": lambda value: base64.b64encode(pickle.dumps([value])),
    "compressed in a pickle": lambda value: pickle.dumps({"body": gzip.compress(value)}),
    "base64 of compressed": lambda value: b"x = '" + base64.b64encode(zlib.compress(value)) + b"'",
    "gzip": gzip.compress,
    "zlib": lambda value: zlib.compress(b"blob 26\x00" + value),
    "xz": lzma.compress,
    "a result of Prefect": lambda value: PickleSerializer().dumps({"token": value.decode()}),
    "a compressed result of Prefect": lambda value: CompressedSerializer(serializer=JSONSerializer()).dumps(
        {"token": value.decode()}
    ),
    "broken by a terminal": lambda value: value[:9] + b"\n    " + value[9:],
    "coloured by a terminal": lambda value: value[:9] + b"\x1b[1;32m" + value[9:],
    "cut off behind": lambda value: value[:22],
    "cut off before": lambda value: value[-22:],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("before", [b"", b"1234567 ", b"1234 "])
def test_a_secret_is_found_in_this_shape(shape: str, before: bytes) -> None:
    text = SHAPES[shape](VALUE.encode())
    packed = shape in {"gzip", "zlib", "xz"} or text[:1] == b"\x80"
    assert found(text if packed else before + text + b" and so on") == {"token"}


def test_another_secret_of_the_same_kind_is_not_found() -> None:
    other = "s." + secrets.token_hex(11) + "~?>+/"
    assert [shape for shape, wrap in SHAPES.items() if found(wrap(other.encode()))] == []


def test_nothing_is_found_in_noise() -> None:
    assert found(hashlib.shake_256(b"noise").digest(1_000_000)) == set()


def test_a_cut_off_jwt_is_found_by_its_head_and_its_signature_and_not_by_its_claims() -> None:
    value = jwt.encode({"sub": "system:serviceaccount:a:b", "n": list(range(50))}, "k" * 32)
    head, claims, signature = value.split(".")
    secret = Secret.jwt("JWT", value)
    for part in (value[:60], f"...{claims[-30:]}.{signature[:25]}", signature[:25], signature[-25:]):
        assert found(f"bad token {part}".encode(), secret) == {"JWT"}
    for part in (head[:10], claims):
        assert found(part.encode(), secret) == set()


def test_a_private_key_is_found_line_by_line_and_as_bytes() -> None:
    pem = CertificateAuthority("any").issue("any").key_pem
    secret = Secret.pem("key", pem)
    line = pem.splitlines()[2]
    for shape in (pem, pem.replace("\n", "\\n"), base64.b64encode(pem.encode()).decode(), line):
        assert found(shape.encode(), secret) == {"key"}
    assert found(b"der: " + base64.b64decode(line), secret) == {"key"}
    assert found(CertificateAuthority("any").issue("any").key_pem.encode(), secret) == set()


def test_neither_a_secret_nor_a_finding_shows_the_value() -> None:
    secret = Secret.token("token", VALUE)
    shown: list[Any] = [secret, *Searcher([secret]).find("here", [("stream", VALUE.encode())])]
    assert shown[1:]
    assert VALUE[:9] not in f"{shown} {' '.join(map(str, shown))}"
