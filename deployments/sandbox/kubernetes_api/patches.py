"""The four ways to change a part of an object: JSON patch, merge patch, strategic merge patch, apply.

Strategic merge and apply join certain lists item by item instead of replacing them. Which ones, a real
server reads from its types; here the table `_MERGE_KEYS` names those of the served kinds. Every other list
is replaced as a whole.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch

from deployments.sandbox.kubernetes_api.status import ApiError, Object, bad_request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_METADATA_KEYS: Mapping[str, str] = {"ownerReferences": "uid"}
_MERGE_KEYS: Mapping[str, str] = {
    **_METADATA_KEYS,
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "secrets": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_UNITED_LISTS = frozenset({"finalizers"})
_DIRECTIVE = "$patch"
_DELETE_FROM_LIST = "$deleteFromPrimitiveList/"


def json_patch(item: Object, operations: Any) -> Object:
    """RFC 6902.

    Raises:
        ApiError: 400 when the patch is no list, 422 when it does not fit the object.
    """
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    try:
        patched: Object = jsonpatch.JsonPatch(operations).apply(item)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        reason = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", reason, {}) from error
    return patched


def merge_patch(item: Object, patch: Object) -> Object:
    """RFC 7386: null removes, lists replace."""
    result = dict(item)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = merge_patch(below if isinstance(below, dict) else {}, value)
        else:
            result[name] = copy.deepcopy(value)
    return result


def strategic_merge_patch(item: Object, patch: Object) -> Object:
    """Merge patch with lists joined by their keys, and with the `$patch` directives that kubectl writes."""
    if patch.get(_DIRECTIVE) == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != _DIRECTIVE}
    result = dict(item)
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM_LIST):
            target = name.removeprefix(_DELETE_FROM_LIST)
            result[target] = [member for member in result.get(target, []) if member not in value]
        elif name.startswith("$"):
            continue  # $setElementOrder and $retainKeys order and tidy; they add nothing
        elif value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = strategic_merge_patch(below if isinstance(below, dict) else {}, value)
        elif isinstance(value, list):
            result[name] = _join(name, result.get(name), value, _MERGE_KEYS, strategic_merge_patch)
        else:
            result[name] = value
    return result


def apply(item: Object, applied: Object, previous: Object | None, *, custom: bool) -> Object:
    """Server-side apply: what is applied is set, what the same manager had applied before and no longer does
    is removed, the rest stays.

    Conflicts between managers are not detected: the last one to apply a field has it, as with ``force``.

    Args:
        item: the object as it is.
        applied: what the manager wants now.
        previous: what the same manager applied last, None the first time.
        custom: custom resources: no lists are joined but those of the metadata.
    """
    keys = _METADATA_KEYS if custom else _MERGE_KEYS
    base = copy.deepcopy(item) if previous is None else _without(item, previous, applied, keys)
    return _apply(base, applied, keys)


def _apply(item: Object, applied: Object, keys: Mapping[str, str]) -> Object:
    result = dict(item)
    for name, value in applied.items():
        if isinstance(value, dict):
            below = result.get(name)
            result[name] = _apply(below if isinstance(below, dict) else {}, value, keys)
        elif isinstance(value, list):
            result[name] = _join(name, result.get(name), value, keys, lambda old, new: _apply(old, new, keys))
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def _without(item: Object, previous: Object, applied: Object, keys: Mapping[str, str]) -> Object:
    """The object without what ``previous`` had set and ``applied`` does not mention."""
    result = copy.deepcopy(item)
    for name, value in previous.items():
        if name not in result:
            continue
        wanted = applied.get(name)
        if isinstance(value, dict) and isinstance(result[name], dict):
            below = wanted if isinstance(wanted, dict) else {}
            result[name] = _without(result[name], value, below, keys)
            if not result[name] and name not in applied:
                del result[name]
        elif isinstance(value, list) and name in keys and isinstance(result[name], list):
            kept = {member[keys[name]] for member in wanted or () if keys[name] in member}
            gone = {member[keys[name]] for member in value if keys[name] in member} - kept
            result[name] = [member for member in result[name] if member.get(keys[name]) not in gone]
            if not result[name] and name not in applied:
                del result[name]
        elif name not in applied:
            del result[name]
    return result


def _join(name: str, old: Any, new: list[Any], keys: Mapping[str, str], merge: Any) -> list[Any]:
    if not isinstance(old, list):
        old = []
    if name in _UNITED_LISTS:
        return [*old, *(member for member in new if member not in old)]
    key = keys.get(name)
    if key is None or not all(isinstance(member, dict) and key in member for member in [*old, *new]):
        return [copy.deepcopy(m) for m in new if not (isinstance(m, dict) and _DIRECTIVE in m)]
    joined = {member[key]: member for member in old}
    for member in new:
        if member.get(_DIRECTIVE) == "delete":
            joined.pop(member[key], None)
        else:
            joined[member[key]] = merge(joined.get(member[key], {}), member)
    return list(joined.values())
