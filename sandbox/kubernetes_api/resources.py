"""The verbs of the API on stored objects: get, list, create, update, apply, delete."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sandbox.kubernetes_api import envelopes, names, patches, strategies
from sandbox.kubernetes_api.envelopes import in_version
from sandbox.kubernetes_api.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from sandbox.kubernetes_api.ownership import Ownership, refusal, remove
from sandbox.kubernetes_api.selectors import Test
from sandbox.kubernetes_api.status import (
    MODIFIED,
    ApiError,
    Object,
    already_exists,
    conflict,
    forbidden,
    invalid,
    invalid_value,
    not_found,
    required,
)
from sandbox.kubernetes_api.storage import Store

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a deleted CustomResourceDefinition until its objects are gone."""

_DEFINITIONS = CUSTOM_RESOURCE_DEFINITION.group_resource


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
        self._ownership = Ownership()

    def get(self, place: Place) -> Object:
        """The object, in the version of ``place.kind``. Raises: ApiError: 404."""
        found = self._store.read(place.kind.group_resource, place.namespace, place.name)
        if found is None:
            raise place.missing()
        return in_version(place.kind, found)

    def list(self, place: Place, fits: Test, limit: int = 0) -> Object:
        """A List, of at most ``limit`` objects when that is not 0; the rest is counted, and not served."""
        kind = place.kind
        items = [item for item in self._store.scan(kind.group_resource, place.namespace) if fits(item)]
        metadata: Object = {"resourceVersion": str(self._store.version)}
        if limit and len(items) > limit:
            metadata["remainingItemCount"] = len(items) - limit
            items = items[:limit]
        shown = [in_version(kind, item) for item in items]
        if not kind.custom:
            # In a list of a typed kind the items do not repeat what they are.
            for item in shown:
                del item["kind"], item["apiVersion"]
        return {
            "kind": kind.list_kind or f"{kind.name}List",
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": shown,
        }

    def create(self, place: Place, body: Object) -> Object:
        """A new object.

        Raises:
            ApiError: 404 without its namespace, 403 while that is ending, 422 invalid, 409 already there.
        """
        kind = place.kind
        item = envelopes.received(kind, place.namespace, body)
        metadata = item["metadata"]
        self._check_namespace(place, metadata.get("name", ""))
        if metadata.pop("resourceVersion", None):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        for field in envelopes.SYSTEM_METADATA:
            metadata.pop(field, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = names.timestamp()
        if kind.has_status:
            item.pop("status", None)
        strategies.complete(kind, item)
        strategies.validate(kind, item, None)
        if self._store.read(kind.group_resource, place.namespace, metadata["name"]) is not None:
            raise already_exists(kind.group, kind.resource, metadata["name"])
        return self._stored(kind, item)

    def update(self, place: Place, body: Object, *, status: bool = False) -> Object:
        """Replace an object, or with ``status`` only its status.

        Raises:
            ApiError: 404 not there, 409 changed meanwhile, 422 invalid.
        """
        kind = place.kind
        before = self.get(place)
        after = envelopes.received(kind, place.namespace, body)
        envelopes.check_name(place.name, after)
        if kind.custom and not after["metadata"].get("resourceVersion"):
            cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(kind.group, kind.resource, place.name, [cause])
        return self._replace(place, before, after, status=status)

    def apply(
        self,
        place: Place,
        body: Object,
        manager: str,
        *,
        force: bool = False,
    ) -> tuple[Object, bool]:
        """Server-side apply; returns the object, and whether it was created.

        What the same manager had applied before and leaves out now is removed, unless another one applies it.

        Raises:
            ApiError: 400 or 500 for a body that cannot be applied, 409 for a field that another manager has
                applied with another value (unless ``force``), else as `create` and `update`.
        """
        applied = envelopes.applied(place.kind, place.namespace, body)
        envelopes.check_name(place.name, applied)
        existing = self._store.read(place.kind.group_resource, place.namespace, place.name)
        if existing is None:
            result = self.create(place, applied)
        else:
            before, uid = in_version(place.kind, existing), existing["metadata"]["uid"]
            conflicts = self._ownership.conflicts(uid, manager, before, applied)
            if conflicts and not force:
                raise refusal(conflicts)
            after = patches.apply(before, applied)
            remove(after, self._ownership.abandoned(uid, manager, applied))
            result = self._replace(place, before, after, status=False)
        self._ownership.record(result["metadata"]["uid"], manager, applied)
        return result, existing is None

    def delete(self, place: Place) -> Object:
        """Remove an object, or mark it when something has to happen first. Raises: ApiError: 404."""
        kind, item = place.kind, self.get(place)
        metadata = item["metadata"]
        if kind.group_resource == _DEFINITIONS:
            metadata["finalizers"] = list(dict.fromkeys([*metadata.get("finalizers", ()), CLEANUP_FINALIZER]))
        if _is_held(kind, item):
            if "deletionTimestamp" in metadata:
                return item
            _mark_deleted(kind, item)
            return self._stored(kind, item)
        self._remove(place, metadata["uid"])
        if kind.deleted_object_returned:
            return item
        group = {"group": kind.group} if kind.group else {}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": place.name, **group, "kind": kind.resource, "uid": metadata["uid"]},
        }

    def _replace(self, place: Place, before: Object, after: Object, *, status: bool) -> Object:
        kind = place.kind
        old, new = before["metadata"], after["metadata"]
        if new.get("uid", old["uid"]) != old["uid"]:
            key = "/".join(["/registry", kind.resource, place.namespace, place.name]).replace("//", "/")
            raise place.conflict(
                f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: UID in precondition: {new['uid']}, "
                f"UID in object meta: {old['uid']}"
            )
        if (new.get("resourceVersion") or old["resourceVersion"]) != old["resourceVersion"]:
            raise place.conflict(MODIFIED)
        for field in (*envelopes.SYSTEM_METADATA, "resourceVersion"):
            new.pop(field, None)
            if field in old:
                new[field] = old[field]
        after = envelopes.merged_halves(kind, before, after, status=status)
        strategies.complete(kind, after)
        strategies.validate(kind, after, before)
        after["metadata"] = envelopes.without_empty(after["metadata"])
        if after == before:
            return before
        if "deletionTimestamp" in old and not _is_held(kind, after):
            self._remove(place, old["uid"])
            return after
        self._ownership.changed(old["uid"], before, after)
        return self._stored(kind, after)

    def _stored(self, kind: Kind, item: Object) -> Object:
        return in_version(kind, self._store.write(kind.group_resource, item))

    def _remove(self, place: Place, uid: str) -> None:
        self._store.remove(place.kind.group_resource, place.namespace, place.name)
        self._ownership.forget(uid)

    def _check_namespace(self, place: Place, name: str) -> None:
        kind = place.kind
        if not kind.namespaced:
            return
        if not place.namespace:
            raise invalid(kind.group, kind.name, name, [required("metadata.namespace")])
        namespace = self._store.read("namespaces", "", place.namespace)
        if namespace is None:
            raise not_found("", "namespaces", place.namespace)
        if "deletionTimestamp" in namespace["metadata"]:
            sentence = (
                f"unable to create new content in namespace {place.namespace} because it is being terminated"
            )
            error = forbidden(kind.group, kind.resource, name, sentence)
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {place.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            error.details = {**(error.details or {}), "causes": [cause]}
            raise error


def _mark_deleted(kind: Kind, item: Object) -> None:
    metadata = item["metadata"]
    metadata["deletionTimestamp"] = names.timestamp()
    if kind.group_resource not in ("namespaces", _DEFINITIONS):
        metadata["deletionGracePeriodSeconds"] = 0
    if kind.group_resource == "namespaces":
        item["status"]["phase"] = "Terminating"


def _is_held(kind: Kind, item: Object) -> bool:
    """Whether something has to happen before a deleted object may go."""
    if kind.group_resource == "namespaces" and item.get("spec", {}).get("finalizers"):
        return True
    return bool(item["metadata"].get("finalizers"))
