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
        raise bad_request("error decoding patch: json: a JSON patch is a list of operations")
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


def merge_keys(*, custom: bool) -> Mapping[str, str]:
    """The lists that are joined by a key of their members; of custom resources only the metadata's."""
    return _METADATA_KEYS if custom else _MERGE_KEYS


def apply(item: Object, applied: Object, keys: Mapping[str, str]) -> Object:
    """Set what is applied, and leave the rest. ``keys`` come from `merge_keys`."""
    result = dict(item)
    for name, value in applied.items():
        if isinstance(value, dict):
            below = result.get(name)
            result[name] = apply(below if isinstance(below, dict) else {}, value, keys)
        elif isinstance(value, list):
            old = result.get(name)
            if name in keys or name in _UNITED_LISTS:
                result[name] = _join(name, old, value, keys, lambda mine, new: apply(mine, new, keys))
            else:
                result[name] = copy.deepcopy(value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def _join(name: str, old: Any, new: list[Any], keys: Mapping[str, str], merge: Any) -> list[Any]:
    if not isinstance(old, list):
        old = []
    if name in _UNITED_LISTS:
        return [*new, *(member for member in old if member not in new)]
    key = keys.get(name)
    if key is None or not all(_is_keyed(member, key) for member in [*old, *new]):
        return [copy.deepcopy(m) for m in new if not (isinstance(m, dict) and _DIRECTIVE in m)]
    before = {member[key]: member for member in old}
    joined = {
        member[key]: merge(before.get(member[key], {}), member)
        for member in new
        if member.get(_DIRECTIVE) != "delete"
    }
    named = {member[key] for member in new}
    return [*joined.values(), *(member for member in old if member[key] not in named)]


def _is_keyed(member: Any, key: str) -> bool:
    return isinstance(member, dict) and isinstance(member.get(key), str | int)
