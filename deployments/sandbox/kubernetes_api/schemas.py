"""The structural schema of a CustomResourceDefinition: pruning, defaults and validation.

The part of OpenAPI v3 that operators' definitions use. Rules in CEL (`x-kubernetes-validations`) and
`format` are left out: an object that only those would refuse is accepted here.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from deployments.sandbox.kubernetes_api.status import (
    Cause,
    Object,
    invalid_value,
    required,
    unsupported_value,
)

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
    _prune(schema, item, keep=_ENVELOPE)


def _prune(schema: Object, value: Any, keep: tuple[str, ...] = ()) -> None:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        for name in list(value):
            if name in keep:
                continue
            declared = properties.get(name, additional if isinstance(additional, dict) else {})
            if value[name] is None and declared.get("type") and not declared.get("nullable"):
                del value[name]
            elif name in properties:
                _prune(properties[name], value[name], _nested_envelope(properties[name]))
            elif isinstance(additional, dict):
                _prune(additional, value[name])
            elif not additional and not schema.get("x-kubernetes-preserve-unknown-fields"):
                del value[name]
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _prune(schema["items"], item)


def _nested_envelope(schema: Object) -> tuple[str, ...]:
    return _ENVELOPE if schema.get("x-kubernetes-embedded-resource") else ()


def undeclared(schema: Object, value: Any, path: str = "", keep: tuple[str, ...] = _ENVELOPE) -> list[str]:
    """The paths (``.spec.x``) of the fields that `prune` would drop. Server-side apply refuses them."""
    found: list[str] = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        for name in (name for name in value if name not in keep):
            below = f"{path}.{name}"
            if name in properties:
                found += undeclared(properties[name], value[name], below, _nested_envelope(properties[name]))
            elif isinstance(additional, dict):
                found += undeclared(additional, value[name], below, ())
            elif not additional and not schema.get("x-kubernetes-preserve-unknown-fields"):
                found.append(below)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            found += undeclared(schema["items"], item, f"{path}[{index}]", ())
    return found


def fill_defaults(schema: Object, value: Any) -> None:
    """Set the declared defaults of fields that are missing, in place."""
    if isinstance(value, dict):
        for name, declared in schema.get("properties", {}).items():
            if name not in value and "default" in declared:
                value[name] = copy.deepcopy(declared["default"])
            if name in value:
                fill_defaults(declared, value[name])
        if isinstance(schema.get("additionalProperties"), dict):
            for name in set(value) - set(schema.get("properties", {})):
                fill_defaults(schema["additionalProperties"], value[name])
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            fill_defaults(schema["items"], item)


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


def causes(schema: Object, item: Object) -> list[Cause]:
    """Everything in the object that the schema does not allow."""
    body = {name: value for name, value in item.items() if name not in _ENVELOPE}
    declared = {name: part for name, part in schema.get("properties", {}).items() if name not in _ENVELOPE}
    wanted = [name for name in schema.get("required", ()) if name not in _ENVELOPE]
    return _check({**schema, "properties": declared, "required": wanted}, body, "")


def _check(schema: Object, value: Any, path: str) -> list[Cause]:
    if value is None:
        if schema.get("nullable") or "type" not in schema:
            return []
        return [_wrong_type(path, schema["type"], "null")]
    if schema.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, int | str) else [_wrong_type(path, "integer,string", _type_of(value))]
    declared = schema.get("type")
    if declared and not _is_of(declared, value):
        return [_wrong_type(path, declared, _type_of(value)), *_enumerated(schema, value, path)]
    found = _enumerated(schema, value, path) + _combined(schema, value, path)
    if isinstance(value, dict):
        found += _check_object(schema, value, path)
    elif isinstance(value, list):
        found += _check_list(schema, value, path)
    elif isinstance(value, str):
        found += _check_string(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found += _check_number(schema, value, path)
    return found


def _wrong_type(path: str, wanted: str, found: str) -> Cause:
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    return Cause(path, "FieldValueTypeInvalid", message)


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


def _enumerated(schema: Object, value: Any, path: str) -> list[Cause]:
    allowed = schema.get("enum")
    return [] if allowed is None or value in allowed else [unsupported_value(path, value, allowed)]


def _combined(schema: Object, value: Any, path: str) -> list[Cause]:
    found = [cause for part in schema.get("allOf", ()) for cause in _check(part, value, path)]
    if "oneOf" in schema:
        fitting = sum(not _check(part, value, path) for part in schema["oneOf"])
        if fitting != 1:
            detail = f'"{path}" must validate one and only one schema (oneOf). '
            detail += "Found none valid" if fitting == 0 else f"Found {fitting} valid alternatives"
            found.append(invalid_value(path, "", detail))
    if "anyOf" in schema and all(_check(part, value, path) for part in schema["anyOf"]):
        found.append(invalid_value(path, "", f'"{path}" must validate at least one schema (anyOf)'))
    if "not" in schema and not _check(schema["not"], value, path):
        found.append(invalid_value(path, "", f'"{path}" must not validate the schema (not)'))
    return found


def _check_object(schema: Object, value: Object, path: str) -> list[Cause]:
    properties = schema.get("properties", {})
    additional = schema.get("additionalProperties")
    found = [required(_below(path, name)) for name in schema.get("required", ()) if name not in value]
    for name, part in sorted(value.items()):
        if name in properties:
            found += _check(properties[name], part, _below(path, name))
        elif isinstance(additional, dict):
            found += _check(additional, part, _below(path, name))
    size = len(value)
    if size < schema.get("minProperties", 0):
        detail = f"{path} in body should have at least {schema['minProperties']} properties"
        found.append(invalid_value(path, size, detail))
    if size > schema.get("maxProperties", size):
        limit = schema["maxProperties"]
        found.append(_too_many(path, size, limit))
    return found


def _check_list(schema: Object, value: list[Any], path: str) -> list[Cause]:
    found: list[Cause] = []
    for index, item in enumerate(value):
        found += _check(schema.get("items") or {}, item, f"{path}[{index}]")
    size = len(value)
    if size < schema.get("minItems", 0):
        detail = f"{path} in body should have at least {schema['minItems']} items"
        found.append(invalid_value(path, size, detail))
    if size > schema.get("maxItems", size):
        found.append(_too_many(path, size, schema["maxItems"]))
    return found


def _too_many(path: str, size: int, limit: int) -> Cause:
    noun = "item" if limit == 1 else "items"
    return Cause(path, "FieldValueTooMany", f"Too many: {size}: must have at most {limit} {noun}")


def _check_string(schema: Object, value: str, path: str) -> list[Cause]:
    found = []
    if len(value) < schema.get("minLength", 0):
        detail = f"{path} in body should be at least {schema['minLength']} chars long"
        found.append(invalid_value(path, value, detail))
    if len(value) > schema.get("maxLength", len(value)):
        limit = schema["maxLength"]
        found.append(Cause(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes"))
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'"))
    return found


def _check_number(schema: Object, value: float, path: str) -> list[Cause]:
    found = []
    if value < schema.get("minimum", value):
        detail = f"{path} in body should be greater than or equal to {schema['minimum']}"
        found.append(invalid_value(path, value, detail))
    if value > schema.get("maximum", value):
        detail = f"{path} in body should be less than or equal to {schema['maximum']}"
        found.append(invalid_value(path, value, detail))
    return found


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
