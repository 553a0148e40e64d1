"""The error answers of an API server: Kubernetes `Status` objects, word for word.

Clients and people read these sentences (the pipeline's own diagnosis too), so they are those of
`k8s.io/apimachinery/pkg/api/errors`, with its order of fields.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. ``reason`` is one of the API's FieldValue... words."""

    field: str
    reason: str
    message: str


def required(field: str, detail: str = "") -> Cause:
    """The field must be given."""
    return Cause(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))


def invalid_value(field: str, value: object, detail: str) -> Cause:
    """The field has a value that is not allowed; ``detail`` says why."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}")


def unsupported_value(field: str, value: object, supported: Sequence[object]) -> Cause:
    """The field takes only the values in ``supported``."""
    listed = ", ".join(_shown(item) for item in supported)
    message = f"Unsupported value: {_shown(value)}: supported values: {listed}"
    return Cause(field, "FieldValueNotSupported", message)


def _shown(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class ApiError(Exception):
    """An answer that is not a success; `body` is what goes out as JSON."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Object:
        """The `Status` object."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


class PageNotFoundError(Exception):
    """A path of no known group. An API server answers it in plain text, without a `Status`."""


def details(name: str, group: str, kind: str, causes: Sequence[Cause] = ()) -> Object:
    """The `details` of a Status, without the fields that are empty."""
    found: Object = {}
    if name:
        found["name"] = name
    if group:
        found["group"] = group
    if kind:
        found["kind"] = kind
    if causes:
        found["causes"] = [
            {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
        ]
    return found


def qualified(group: str, resource: str) -> str:
    """``secrets``, or ``roles.rbac.authorization.k8s.io``: how messages name a resource or a kind."""
    return f"{resource}.{group}" if group else resource


def unauthorized() -> ApiError:
    """401: a credential was given, and it is not one of ours."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, resource: str, name: str, sentence: str) -> ApiError:
    """403 about a resource; ``sentence`` follows "is forbidden: "."""
    subject = qualified(group, resource) + (f' "{name}"' if name else "")
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {sentence}", details(name, group, resource))


def not_found(group: str, resource: str, name: str) -> ApiError:
    """404 about an object."""
    message = f'{qualified(group, resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, details(name, group, resource))


def not_served() -> ApiError:
    """404 about a resource, a version or a subresource that a known group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, resource: str, name: str) -> ApiError:
    """409: create of what is there."""
    message = f'{qualified(group, resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details(name, group, resource))


def conflict(group: str, resource: str, name: str, why: str) -> ApiError:
    """409: somebody was faster, or a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details(name, group, resource))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object was understood, and some of its fields are wrong."""
    sentences = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = sentences[0] if len(sentences) == 1 else "[" + ", ".join(sentences) + "]"
    message = f'{qualified(group, kind)} "{name}" is invalid: {listed}'
    return ApiError(422, "Invalid", message, details(name, group, kind, causes))


def bad_request(message: str) -> ApiError:
    """400: the request could not be understood."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    """405 for a verb that the resource does not have."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: the body is of a type that this verb does not take."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", message + ", ".join(accepted))
