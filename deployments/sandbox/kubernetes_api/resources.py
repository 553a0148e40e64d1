"""The verbs of the API on stored objects: get, list, create, update, patch, apply, delete."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.kubernetes_api import names, patches, strategies
from deployments.sandbox.kubernetes_api.kinds import Kind
from deployments.sandbox.kubernetes_api.selectors import Test
from deployments.sandbox.kubernetes_api.status import (
    MODIFIED,
    ApiError,
    Object,
    already_exists,
    bad_request,
    conflict,
    expired,
    forbidden,
    invalid,
    invalid_value,
    not_found,
    required,
)
from deployments.sandbox.kubernetes_api.storage import Store

_SYSTEM_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "selfLink",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request points: a kind, a namespace (``""`` for cluster-scoped), a name."""

    kind: Kind
    namespace: str
    name: str = ""

    def missing(self) -> ApiError:
        """The 404 of this object."""
        return not_found(self.kind.group, self.kind.resource, self.name)

    def conflict(self, why: str) -> ApiError:
        """The 409 of this object."""
        return conflict(self.kind.group, self.kind.resource, self.name, why)


class Resources:
    """What a real API server calls its registry: every rule about objects that does not depend on HTTP."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # What each manager applied last, by the uid of the object; a real server keeps it in managedFields.
        self._applied: dict[tuple[str, str], Object] = {}

    def get(self, place: Place) -> Object:
        """The object, in the version of ``place.kind``. Raises: ApiError: 404."""
        found = self._store.read(place.kind.group_resource, place.namespace, place.name)
        if found is None:
            raise place.missing()
        return _in_version(place.kind, found)

    def list(self, place: Place, fits: Test, limit: int = 0, token: str = "") -> Object:
        """A List, of at most ``limit`` objects when that is not 0, going on from ``token``.

        Raises:
            ApiError: 400 for a broken token, 410 for one from before a change.
        """
        kind = place.kind
        found = [item for item in self._store.scan(kind.group_resource, place.namespace) if fits(item)]
        start, version = _read_continue(token, self._store.version) if token else (0, self._store.version)
        metadata: Object = {"resourceVersion": str(version)}
        items = found[start:]
        if limit and len(items) > limit:
            position = json.dumps({"rv": version, "start": start + limit}).encode()
            metadata["continue"] = base64.urlsafe_b64encode(position).decode().rstrip("=")
            metadata["remainingItemCount"] = len(items) - limit
            items = items[:limit]
        return {
            "kind": kind.list_kind or f"{kind.name}List",
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": [_in_version(kind, item) for item in items],
        }

    def create(self, place: Place, body: Object, *, dry_run: bool = False) -> Object:
        """A new object.

        Raises:
            ApiError: 404 without its namespace, 403 while that is ending, 422 invalid, 409 already there.
        """
        kind = place.kind
        item = self._read_body(place, body)
        metadata = item["metadata"]
        self._check_namespace(place, metadata.get("name") or metadata.get("generateName", ""))
        if metadata.pop("resourceVersion", None):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        for field in _SYSTEM_METADATA:
            metadata.pop(field, None)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = names.generated(metadata["generateName"])
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = names.timestamp()
        if kind.counts_generation:
            metadata["generation"] = 1
        if kind.has_status:
            item.pop("status", None)
        if metadata.get("name"):
            strategies.complete(kind, item)
        strategies.validate(kind, item, None)
        if self._store.read(kind.group_resource, place.namespace, metadata["name"]) is not None:
            raise already_exists(kind.group, kind.resource, metadata["name"])
        return self._store_or_show(kind, item, dry_run=dry_run)

    def update(self, place: Place, body: Object, *, status: bool = False, dry_run: bool = False) -> Object:
        """Replace an object, or with ``status`` only its status.

        Raises:
            ApiError: 404 not there, 409 changed meanwhile, 422 invalid.
        """
        before = self.get(place)
        after = self._read_body(place, body)
        if after["metadata"].setdefault("name", place.name) != place.name:
            given = after["metadata"]["name"]
            raise bad_request(
                f"the name of the object ({given}) does not match the name on the URL ({place.name})"
            )
        if place.kind.custom and not after["metadata"].get("resourceVersion"):
            cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(place.kind.group, place.kind.name, place.name, [cause])
        return self._replace(place, before, after, status=status, dry_run=dry_run)

    def patch(
        self,
        place: Place,
        change: Callable[[Object], Object],
        *,
        status: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Change an object by a function from what it is to what it shall be.

        Raises:
            ApiError: as `update`.
        """
        before = self.get(place)
        after = change(copy.deepcopy(before))
        if not isinstance(after, dict) or not isinstance(after.get("metadata"), dict):
            raise bad_request("the patch leaves no object")
        return self._replace(place, before, after, status=status, dry_run=dry_run)

    def apply(
        self, place: Place, body: Object, manager: str, *, status: bool = False, dry_run: bool = False
    ) -> tuple[Object, bool]:
        """Server-side apply; returns the object, and whether it was created.

        Raises:
            ApiError: 400 or 422 for a body that cannot be applied, else as `create` and `update`.
        """
        applied = self._read_body(place, body)
        if applied["metadata"].setdefault("name", place.name) != place.name:
            given = applied["metadata"]["name"]
            raise bad_request(
                f"the name of the object ({given}) does not match the name on the URL ({place.name})"
            )
        if applied["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        existing = self._store.read(place.kind.group_resource, place.namespace, place.name)
        if existing is None:
            if status:
                raise place.missing()
            result = self.create(place, applied, dry_run=dry_run)
        else:
            before = _in_version(place.kind, existing)
            previous = self._applied.get((existing["metadata"]["uid"], manager))
            wanted = copy.deepcopy(applied)
            strategies.complete(place.kind, wanted)
            after = patches.apply(before, wanted, previous, custom=place.kind.custom)
            result = self._replace(place, before, after, status=status, dry_run=dry_run)
        if not dry_run and not status:
            remembered = copy.deepcopy(applied)
            strategies.complete(place.kind, remembered)
            self._applied[(result["metadata"]["uid"], manager)] = remembered
        return result, existing is None

    def delete(self, place: Place, options: Object, *, dry_run: bool = False) -> Object:
        """Remove an object, or mark it when finalizers hold it.

        Raises:
            ApiError: 404 not there, 409 when a precondition does not hold.
        """
        item = self.get(place)
        metadata = item["metadata"]
        for name, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            wanted = (options.get("preconditions") or {}).get(name)
            if wanted and wanted != metadata[name]:
                found = f"{label} in object meta: {metadata[name]}"
                raise place.conflict(f"Precondition failed: {label} in precondition: {wanted}, {found}")
        if _is_held(place.kind, item):
            if "deletionTimestamp" not in metadata:
                metadata["deletionTimestamp"] = names.timestamp()
                metadata["deletionGracePeriodSeconds"] = 0
                if place.kind.group_resource == "namespaces":
                    item["status"]["phase"] = "Terminating"
                return self._store_or_show(place.kind, item, dry_run=dry_run)
            return item
        if not dry_run:
            self._store.remove(place.kind.group_resource, place.namespace, place.name)
            self._forget(metadata["uid"])
        if place.kind.deleted_object_returned:
            return item
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {
                "name": place.name,
                **({"group": place.kind.group} if place.kind.group else {}),
                "kind": place.kind.resource,
                "uid": metadata["uid"],
            },
        }

    def _replace(self, place: Place, before: Object, after: Object, *, status: bool, dry_run: bool) -> Object:
        kind = place.kind
        old, new = before["metadata"], after["metadata"]
        if new.get("uid", old["uid"]) != old["uid"]:
            raise place.conflict(
                f"Precondition failed: UID in precondition: {new['uid']}, UID in object meta: {old['uid']}"
            )
        if (new.get("resourceVersion") or old["resourceVersion"]) != old["resourceVersion"]:
            raise place.conflict(MODIFIED)
        self._check_unmoved(place, after)
        for field in (*_SYSTEM_METADATA, "resourceVersion", "deletionGracePeriodSeconds"):
            new.pop(field, None)
            if field in old:
                new[field] = old[field]
        after = _halved(kind, before, after, status=status)
        strategies.complete(kind, after)
        strategies.validate(kind, after, before)
        after["metadata"] = {
            name: value for name, value in after["metadata"].items() if value not in ({}, [], None)
        }
        if after == before:
            return before
        if kind.counts_generation and _specification(before) != _specification(after):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        if "deletionTimestamp" in old and not _is_held(kind, after):
            if not dry_run:
                self._store.remove(kind.group_resource, place.namespace, place.name)
                self._forget(old["uid"])
            return after
        return self._store_or_show(kind, after, dry_run=dry_run)

    def _check_unmoved(self, place: Place, after: Object) -> None:
        kind, metadata = place.kind, after["metadata"]
        causes = []
        for name, value in (("name", place.name), ("namespace", place.namespace)):
            if (metadata.get(name) or "") != value:
                causes.append(invalid_value(f"metadata.{name}", metadata.get(name), "field is immutable"))
        if causes:
            raise invalid(kind.group, kind.name, place.name, causes)
        if (after.get("apiVersion"), after.get("kind")) != (kind.api_version, kind.name):
            raise _wrong_kind(kind, after)

    def _store_or_show(self, kind: Kind, item: Object, *, dry_run: bool) -> Object:
        if dry_run:
            return item
        return _in_version(kind, self._store.write(kind.group_resource, item))

    def _forget(self, uid: str) -> None:
        for key in [key for key in self._applied if key[0] == uid]:
            del self._applied[key]

    def _read_body(self, place: Place, body: Object) -> Object:
        """The body as an object of this kind and namespace; raises the API's 400 when it is not one."""
        kind = place.kind
        item = copy.deepcopy(body)
        # Typed kinds may leave both out, as the endpoint says what they are.
        if not kind.custom:
            item["apiVersion"] = item.get("apiVersion") or kind.api_version
            item["kind"] = item.get("kind") or kind.name
        if (item.get("apiVersion"), item.get("kind")) != (kind.api_version, kind.name):
            raise _wrong_kind(kind, item)
        metadata = item.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise bad_request(f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}')
        item["metadata"] = {name: value for name, value in metadata.items() if value not in ({}, [], None)}
        if place.namespace:
            if item["metadata"].setdefault("namespace", place.namespace) != place.namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
        elif item["metadata"].pop("namespace", ""):
            raise bad_request("namespace is not allowed on this type")
        return {"kind": item.pop("kind"), "apiVersion": item.pop("apiVersion"), **item}

    def _check_namespace(self, place: Place, name: str) -> None:
        if not place.kind.namespaced:
            return
        if not place.namespace:
            cause = required("metadata.namespace")
            raise invalid(place.kind.group, place.kind.name, name, [cause])
        namespace = self._store.read("namespaces", "", place.namespace)
        if namespace is None:
            raise not_found("", "namespaces", place.namespace)
        if "deletionTimestamp" in namespace["metadata"]:
            ending = f"namespace {place.namespace} because it is being terminated"
            error = forbidden(
                place.kind.group, place.kind.resource, name, f"unable to create new content in {ending}"
            )
            why = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {place.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            error.details = {**(error.details or {}), "causes": [why]}
            raise error


def _in_version(kind: Kind, item: Object) -> Object:
    """A copy in the asked version: with conversion strategy None only the apiVersion differs."""
    return {**copy.deepcopy(item), "kind": kind.name, "apiVersion": kind.api_version}


def _wrong_kind(kind: Kind, item: Object) -> ApiError:
    if not item.get("kind"):
        return bad_request("Object 'Kind' is missing in the body")
    if item.get("kind") == kind.name:
        return bad_request(
            f"the API version in the data ({item.get('apiVersion')}) does not match the expected API version "
            f"({kind.api_version})"
        )
    return bad_request(
        f'{item["kind"]} in version "{str(item.get("apiVersion")).rpartition("/")[2]}" '
        f"cannot be handled as a {kind.name}"
    )


def _halved(kind: Kind, before: Object, after: Object, *, status: bool) -> Object:
    """Of an update to the object its status is ignored, and of one to the status everything else."""
    if not kind.has_status:
        return after
    kept = {"metadata": after["metadata"], "status": after.get("status")}
    parts = {**before, **kept} if status else {**after, "status": before.get("status")}
    if status:
        for field in ("labels", "annotations", "finalizers", "ownerReferences"):
            parts["metadata"].pop(field, None)
            if field in before["metadata"]:
                parts["metadata"][field] = before["metadata"][field]
    return {name: value for name, value in parts.items() if name != "status" or value is not None}


def _specification(item: Object) -> Object:
    return {name: value for name, value in item.items() if name not in ("metadata", "status")}


def _is_held(kind: Kind, item: Object) -> bool:
    """Whether something has to happen before a deleted object may go."""
    if kind.group_resource == "namespaces" and item.get("spec", {}).get("finalizers"):
        return True
    return bool(item["metadata"].get("finalizers"))


def _read_continue(token: str, version: int) -> tuple[int, int]:
    try:
        position: Any = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        start, seen = int(position["start"]), int(position["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request("continue key is not valid") from error
    if seen != version:
        # A real server still knows the old list for minutes; this one has only what is now.
        raise expired(str(seen), version)
    return start, seen
