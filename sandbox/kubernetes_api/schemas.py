"""The fields of the built-in kinds and their types, in the language of OpenAPI.

The schemas of custom resources are not looked at: the operator of the sandbox declares that all is kept.
"""

from __future__ import annotations

from typing import Any

from sandbox.kubernetes_api.status import Object

_ENVELOPE = ("apiVersion", "kind", "metadata")
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def prune(schema: Object, item: Object) -> None:
    """Drop the fields that the schema does not declare, in place, as an API server does without a word."""
    _prune(schema, item, _ENVELOPE)


def _prune(schema: Object, value: Any, keep: tuple[str, ...] = ()) -> None:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        for name in list(value):
            if name in keep:
                continue
            declared = properties.get(name, additional if isinstance(additional, dict) else {})
            if value[name] is None and declared.get("type"):
                del value[name]
            elif name in properties:
                _prune(properties[name], value[name])
            elif isinstance(additional, dict):
                _prune(additional, value[name])
            elif not additional and not schema.get("x-kubernetes-preserve-unknown-fields"):
                del value[name]
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _prune(schema["items"], item)


def undeclared(schema: Object, value: Any, path: str = "", keep: tuple[str, ...] = _ENVELOPE) -> list[str]:
    """The paths (``.spec.x``) of the fields that `prune` would drop. Server-side apply refuses them."""
    found: list[str] = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        for name in (name for name in value if name not in keep):
            below = f"{path}.{name}"
            if name in properties:
                found += undeclared(properties[name], value[name], below, ())
            elif isinstance(additional, dict):
                found += undeclared(additional, value[name], below, ())
            elif not additional and not schema.get("x-kubernetes-preserve-unknown-fields"):
                found.append(below)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            found += undeclared(schema["items"], item, f"{path}[{index}]", ())
    return found


def wrong_type(schema: Object, value: Any, path: str = "") -> str:
    """The first value of a wrong type, as Go's decoder says it; empty when every type is right."""
    declared = schema.get("type", "")
    if declared and not _is_of(declared, value):
        found = {"integer": "number", "boolean": "bool"}.get(_type_of(value), _type_of(value))
        return f"{found} into Go struct field {path} of type {declared}"
    below: list[tuple[Object, Any, str]] = []
    if isinstance(value, dict):
        declared_fields = schema.get("properties", {})
        other = schema.get("additionalProperties")
        for name, part in value.items():
            if name in declared_fields:
                below.append((declared_fields[name], part, _below(path, name)))
            elif isinstance(other, dict):
                below.append((other, part, path))
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        below = [(schema["items"], item, path) for item in value]
    return next((found for part in below if (found := wrong_type(*part))), "")


def _type_of(value: Any) -> str:
    # bool before int: it is one of its subclasses.
    for python_type, name in _TYPES:
        if isinstance(value, python_type):
            return name
    return "null"


def _is_of(declared: str, value: Any) -> bool:
    found = _type_of(value)
    if declared == "integer":
        return found == "integer" or (found == "number" and float(value).is_integer())
    return found == declared or (declared == "number" and found == "integer")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
