"""Protocol buffers, as far as kubectl sends nothing else: reviews, and requests for tokens.

kubectl's typed commands (`auth can-i`, `auth whoami`, `create token`) write protobuf and read JSON. The field
numbers are those of `generated.proto` in `k8s.io/api`; metadata and status are of no use in a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployments.sandbox.kubernetes_api.status import Object, bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    message: str = ""
    repeated: bool = False
    number: bool = False


_MESSAGES: Mapping[str, Mapping[int, _Field]] = {
    "Unknown": {1: _Field("typeMeta", "TypeMeta"), 2: _Field("raw", "bytes")},
    "TypeMeta": {1: _Field("apiVersion"), 2: _Field("kind")},
    "SelfSubjectReview": {},
    "SelfSubjectAccessReview": {2: _Field("spec", "AccessReviewSpec")},
    "AccessReviewSpec": {
        1: _Field("resourceAttributes", "ResourceAttributes"),
        2: _Field("nonResourceAttributes", "NonResourceAttributes"),
    },
    "ResourceAttributes": {
        1: _Field("namespace"),
        2: _Field("verb"),
        3: _Field("group"),
        4: _Field("version"),
        5: _Field("resource"),
        6: _Field("subresource"),
        7: _Field("name"),
    },
    "NonResourceAttributes": {1: _Field("path"), 2: _Field("verb")},
    "TokenRequest": {2: _Field("spec", "TokenRequestSpec")},
    "TokenRequestSpec": {
        1: _Field("audiences", repeated=True),
        3: _Field("boundObjectRef", "BoundObjectReference"),
        4: _Field("expirationSeconds", number=True),
    },
    "BoundObjectReference": {1: _Field("kind"), 2: _Field("apiVersion"), 3: _Field("name"), 4: _Field("uid")},
}


def read(body: bytes) -> Object:
    """The object in a body of type `MEDIA_TYPE`.

    Raises:
        ApiError: 400 when it is no protobuf, or of a kind that is not read here.
    """
    if not body.startswith(_MAGIC):
        raise bad_request("the body does not begin with the protobuf prefix of Kubernetes")
    try:
        envelope = _message("Unknown", body.removeprefix(_MAGIC))
        kind = envelope.get("typeMeta", {}).get("kind", "")
        if kind not in _MESSAGES:
            raise bad_request(f"this server does not read {kind or 'this kind'} as protobuf; send JSON")
        return {**envelope["typeMeta"], **_message(kind, envelope.get("raw", b""))}
    except (IndexError, UnicodeDecodeError) as error:
        raise bad_request("the protobuf body could not be decoded") from error


def _message(name: str, content: bytes) -> Object:
    fields, result = _MESSAGES[name], Object()
    for number, value in _fields(content):
        field = fields.get(number)
        if field is None or isinstance(value, int) != field.number:
            continue
        read_value: object = value
        if isinstance(value, bytes) and field.message != "bytes":
            read_value = _message(field.message, value) if field.message else value.decode()
        if field.repeated:
            result.setdefault(field.name, []).append(read_value)
        elif read_value != "":
            result[field.name] = read_value
    return result


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _varint(content, position)
            yield number, value
        elif wire_type == _BYTES:
            size, position = _varint(content, position)
            if position + size > len(content):
                raise IndexError(position)
            yield number, content[position : position + size]
            position += size
        elif wire_type in (_FIXED64, _FIXED32):
            position += 8 if wire_type == _FIXED64 else 4
        else:
            raise bad_request("the protobuf body could not be decoded")


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
        if shift > 63:
            raise IndexError(position)
