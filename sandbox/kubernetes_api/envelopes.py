"""The outer parts of an object: its kind, version and metadata, checked and put in order."""

from __future__ import annotations

import copy

from sandbox.kubernetes_api import schemas, structures
from sandbox.kubernetes_api.kinds import Kind
from sandbox.kubernetes_api.status import (
    ApiError,
    Object,
    bad_request,
    invalid,
    invalid_value,
)

SYSTEM_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "selfLink",
)
"""Metadata that only the server sets."""

_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
_INTERNAL_PACKAGES = {
    "": "core",
    "rbac.authorization.k8s.io": "rbac",
    "apiextensions.k8s.io": "apiextensions",
}


def received(kind: Kind, namespace: str, body: Object) -> Object:
    """The body of a create or update as an object of ``kind`` in ``namespace``.

    Raises:
        ApiError: 400 or 422, when it is something else.
    """
    item = copy.deepcopy(body)
    # Typed kinds may leave both out, as the endpoint says what they are.
    if not kind.custom:
        item["apiVersion"] = item.get("apiVersion") or kind.api_version
        item["kind"] = item.get("kind") or kind.name
    check_kind(kind, item)
    return _placed(kind, namespace, item)


def applied(kind: Kind, namespace: str, body: Object) -> Object:
    """The body of a server-side apply, which has to name its kind and may hold only declared fields.

    Raises:
        ApiError: 400 for another kind, 500 (as a real server) for undeclared fields.
    """
    item = copy.deepcopy(body)
    version, name = _identity(kind, item)
    if (version, name) != (kind.api_version, kind.name):
        group, _, number = version.rpartition("/")
        raise bad_request(f"invalid object type: {group}/{number}, Kind={name}")
    metadata = _metadata(item)
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    unknown = [] if kind.schema is None else schemas.undeclared(kind.schema, item)
    if unknown:
        place = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        what = f"({place}; {kind.group}/{kind.version}, Kind={name})"
        problem = f"{unknown[0]}: field not declared in schema"
        raise ApiError(500, "", f"failed to create typed patch object {what}: {problem}")
    return _placed(kind, namespace, item)


def check_kind(kind: Kind, item: Object) -> None:
    """Raises the API's 400 or 422 when an object is of another kind or version."""
    version, name = _identity(kind, item)
    if (version, name) == (kind.api_version, kind.name):
        return
    if not name:
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.name}): no kind")
    if name == kind.name:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if kind.custom:
        cause = invalid_value("kind", name, f"must be {kind.name}")
        raise invalid(kind.group, name, _metadata(item).get("name", ""), [cause])
    number, package = version.rpartition("/")[2], _INTERNAL_PACKAGES.get(kind.group, kind.group)
    raise bad_request(
        f'{name} in version "{number}" cannot be handled as a {kind.name}: '
        f"converting ({number}.{name}) to ({package}.{kind.name}): unknown conversion"
    )


def check_structure(kind: Kind, item: Object) -> None:
    """Drop what no object of this kind has, in place, and raise the 400 for values of a wrong type.

    Of custom resources only the metadata is looked at: the rest is judged later, field by field.
    """
    whole = {"metadata": structures.METADATA}
    if not kind.custom and kind.schema is not None:
        whole |= kind.schema["properties"]
        schemas.prune(kind.schema, item)
    if isinstance(item["metadata"], dict):
        schemas.prune(structures.METADATA, item["metadata"])
    problem = schemas.wrong_type({"type": "object", "properties": whole}, item)
    if problem:
        words = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
        raise bad_request(f"{words}: json: cannot unmarshal {problem}")


def check_name(name_in_path: str, item: Object) -> None:
    """Set the name of the path, or raise the 400 for another one."""
    name = item["metadata"].setdefault("name", name_in_path)
    if name != name_in_path:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({name_in_path})"
        )


def without_empty(metadata: Object) -> Object:
    """Metadata without fields that say nothing (``labels: {}``), as an API server stores it."""
    return {name: value for name, value in metadata.items() if value not in ({}, [], None, "")}


def in_version(kind: Kind, item: Object) -> Object:
    """A copy in the version of ``kind``: with conversion strategy None only the apiVersion differs."""
    shown = copy.deepcopy(item)
    for name in ("kind", "apiVersion"):
        shown.pop(name, None)
    return {"kind": kind.name, "apiVersion": kind.api_version, **shown}


def merged_halves(kind: Kind, before: Object, after: Object, *, status: bool) -> Object:
    """What an update may change: the status and nothing else, or everything but the status."""
    if not kind.has_status:
        return after
    if status:
        metadata = {**after["metadata"]}
        for field in ("labels", "annotations", "finalizers", "ownerReferences"):
            metadata.pop(field, None)
            if field in before["metadata"]:
                metadata[field] = before["metadata"][field]
        halves = {**before, "metadata": metadata, "status": after.get("status")}
    else:
        halves = {**after, "status": before.get("status")}
    return {name: value for name, value in halves.items() if name != "status" or value is not None}


def _identity(kind: Kind, item: Object) -> tuple[str, str]:
    """The apiVersion and the kind that a body names, empty where it names none."""
    version, name = item.get("apiVersion") or "", item.get("kind") or ""
    if not isinstance(version, str) or not isinstance(name, str):
        unreadable = f"the object provided is unrecognized (must be of type {kind.name})"
        raise bad_request(f"{unreadable}: couldn't get version/kind; json parse error: not a string")
    return version, name


def _metadata(item: Object) -> Object:
    """The metadata of a body that nobody has looked at yet."""
    metadata = item.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _placed(kind: Kind, namespace: str, item: Object) -> Object:
    if item.get("metadata") is None:
        item["metadata"] = {}
    check_structure(kind, item)
    item["metadata"] = without_empty(item["metadata"])
    if namespace:
        if item["metadata"].setdefault("namespace", namespace) != namespace:
            raise bad_request(_OTHER_NAMESPACE)
    elif item["metadata"].pop("namespace", ""):
        raise bad_request("namespace is not allowed on this type")
    return item
