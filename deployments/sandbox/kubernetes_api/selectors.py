"""Label and field selectors of list and watch requests."""

from __future__ import annotations

import re
from collections.abc import Callable

from deployments.sandbox.kubernetes_api.kinds import Kind
from deployments.sandbox.kubernetes_api.status import Object, bad_request

Test = Callable[[Object], bool]

_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s!=]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s!=]*)")
_EXISTENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s!=()]+)")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")

_FIELDS: dict[str, tuple[str, ...]] = {
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "events": (
        *("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid"),
        *("involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath"),
        *("reason", "reportingComponent", "source", "type"),
    ),
}


def selection(kind: Kind, labels: str, fields: str) -> Test:
    """One test for both selectors (either may be empty).

    Raises:
        ApiError: 400 for a selector that cannot be read, or a field that cannot be selected by.
    """
    parts = _COMMA_OUTSIDE_PARENTHESES.split(labels) if labels.strip() else []
    tests = [_label_test(part.strip()) for part in parts]
    tests += [_field_test(kind, part.strip()) for part in fields.split(",") if part.strip()]
    return lambda item: all(test(item) for test in tests)


def _label_test(part: str) -> Test:
    if match := _SET.fullmatch(part):
        key, wanted = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["operator"] == "in":
            return lambda item: _labels(item).get(key) in wanted
        return lambda item: _labels(item).get(key) not in wanted
    if match := _EQUALITY.fullmatch(part):
        key, value = match["key"], match["value"]
        if match["operator"] == "!=":
            return lambda item: _labels(item).get(key) != value
        return lambda item: _labels(item).get(key) == value
    if match := _EXISTENCE.fullmatch(part):
        key, absent = match["key"], bool(match["absent"])
        return lambda item: (key in _labels(item)) != absent
    raise bad_request(f"unable to parse requirement: found '{part}'")


def _field_test(kind: Kind, part: str) -> Test:
    match = _EQUALITY.fullmatch(part)
    if match is None:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    key, value, negated = match["key"], match["value"], match["operator"] == "!="
    known = ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.group_resource, ()))
    if key not in known and (kind.custom or kind.group_resource in _FIELDS):
        raise bad_request(f"field label not supported: {key}")
    if key not in known:
        listed = ", ".join(f'"{name}"' for name in known)
        raise bad_request(f'"{key}" is not a known field selector: only {listed}')
    return lambda item: (_field(item, key) == value) != negated


def _labels(item: Object) -> Object:
    return item["metadata"].get("labels") or {}


def _field(item: Object, path: str) -> object:
    value: object = item
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return value
