"""What is particular to each kind: defaults, and what makes an object invalid.

Only rules that this product can meet are here; the tests compare them with a real API server.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from sandbox.kubernetes_api import names
from sandbox.kubernetes_api.authentication import ACCOUNT_NAME_ANNOTATION, TOKEN_SECRET_TYPE
from sandbox.kubernetes_api.kinds import RBAC_GROUP, Kind
from sandbox.kubernetes_api.status import (
    Cause,
    Object,
    bad_request,
    invalid,
    invalid_value,
    required,
    unsupported_value,
)

_OPENSHIFT_USERS = "user.openshift.io"


def complete(kind: Kind, item: Object) -> None:
    """Fill in defaults, in place.

    Raises:
        ApiError: 400, when a value cannot be read as what it should be.
    """
    if default := _DEFAULTS.get(kind.name if not kind.custom else ""):
        default(item)


def validate(kind: Kind, item: Object, before: Object | None) -> None:
    """Check an object that is about to be stored; ``before`` is what it replaces, None on create.

    Raises:
        ApiError: 422 with every cause.
    """
    causes = names.metadata_causes(item["metadata"], _name_rule(kind))
    if not kind.custom:
        if check := _CHECKS.get(kind.name):
            causes += check(item)
        if before is not None and (compare := _COMPARISONS.get(kind.name)):
            causes += compare(before, item)
    if causes:
        raise invalid(kind.group, kind.name, item["metadata"].get("name", ""), causes)


def _name_rule(kind: Kind) -> names.NameRule:
    if kind.group == "" and kind.name == "Namespace":
        return names.dns_label
    if kind.group in (RBAC_GROUP, _OPENSHIFT_USERS):
        return names.path_segment
    return names.dns_subdomain


def _complete_secret(secret: Object) -> None:
    secret.setdefault("type", "Opaque")
    data = secret.get("data") or {}
    for value in data.values():
        try:
            base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise bad_request(
                'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'
            ) from error
    for key, value in (secret.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(value.encode()).decode()
    if data:
        secret["data"] = data
    else:
        secret.pop("data", None)


def _complete_namespace(namespace: Object) -> None:
    metadata = namespace["metadata"]
    metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata.get("name", "")
    namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    namespace.setdefault("status", {}).setdefault("phase", "Active")


def _complete_binding(binding: Object) -> None:
    reference = binding.setdefault("roleRef", {})
    reference["apiGroup"] = reference.get("apiGroup") or RBAC_GROUP
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = subject.get("apiGroup") or RBAC_GROUP


def _complete_role(role: Object) -> None:
    role.setdefault("rules", None)


def _complete_event(event: Object) -> None:
    # Fields that a typed server always shows.
    event.setdefault("source", {})
    for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
        event.setdefault(field, None)
    for field in ("reportingComponent", "reportingInstance"):
        event.setdefault(field, "")


def _complete_definition(definition: Object) -> None:
    spec = definition.setdefault("spec", {})
    named = spec.setdefault("names", {})
    if kind := named.get("kind"):
        named["singular"] = named.get("singular") or kind.lower()
        named["listKind"] = named.get("listKind") or f"{kind}List"
    spec.setdefault("conversion", {"strategy": "None"})
    if "status" not in definition:
        stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
        unnamed = {"plural": "", "kind": ""}
        definition["status"] = {"conditions": None, "acceptedNames": unnamed, "storedVersions": stored}


def _secret_causes(secret: Object) -> list[Cause]:
    annotations = secret["metadata"].get("annotations") or {}
    if secret["type"] != TOKEN_SECRET_TYPE or annotations.get(ACCOUNT_NAME_ANNOTATION):
        return []
    return [required(f"metadata.annotations[{ACCOUNT_NAME_ANNOTATION}]")]


def _secret_changes(before: Object, after: Object) -> list[Cause]:
    if before["type"] == after["type"]:
        return []
    return [invalid_value("type", after["type"], "field is immutable")]


def _binding_causes(binding: Object) -> list[Cause]:
    reference = binding.get("roleRef") or {}
    causes = []
    if reference.get("apiGroup") != RBAC_GROUP:
        causes.append(unsupported_value("roleRef.apiGroup", reference.get("apiGroup", ""), [RBAC_GROUP]))
    supported = ["Role", "ClusterRole"] if binding["kind"] == "RoleBinding" else ["ClusterRole"]
    if reference.get("kind") not in supported:
        causes.append(unsupported_value("roleRef.kind", reference.get("kind", ""), supported))
    if not reference.get("name"):
        causes.append(required("roleRef.name"))
    for index, subject in enumerate(binding.get("subjects") or ()):
        place = f"subjects[{index}]"
        if not subject.get("name"):
            causes.append(required(f"{place}.name"))
        if subject.get("kind") not in ("ServiceAccount", "User", "Group"):
            kinds = ["ServiceAccount", "User", "Group"]
            causes.append(unsupported_value(f"{place}.kind", subject.get("kind", ""), kinds))
        elif subject["kind"] == "ServiceAccount":
            if subject.get("apiGroup"):
                causes.append(unsupported_value(f"{place}.apiGroup", subject["apiGroup"], [""]))
            if not subject.get("namespace") and binding["kind"] == "ClusterRoleBinding":
                causes.append(required(f"{place}.namespace"))
        elif subject.get("apiGroup") != RBAC_GROUP:
            causes.append(unsupported_value(f"{place}.apiGroup", subject.get("apiGroup"), [RBAC_GROUP]))
    return causes


def _binding_changes(before: Object, after: Object) -> list[Cause]:
    if before["roleRef"] == after.get("roleRef"):
        return []
    shown = {name: after["roleRef"].get(name[0].lower() + name[1:], "") for name in ("Kind", "Name")}
    shown = {"APIGroup": after["roleRef"]["apiGroup"], **shown}
    return [invalid_value("roleRef", shown, "cannot change roleRef")]


def _role_causes(role: Object) -> list[Cause]:
    causes = []
    for index, rule in enumerate(role.get("rules") or ()):
        place = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.append(required(f"{place}.verbs", "verbs must contain at least one value"))
        if rule.get("nonResourceURLs"):
            if role["kind"] == "Role":
                detail = "namespaced rules cannot apply to non-resource URLs"
                causes.append(invalid_value(f"{place}.nonResourceURLs", rule["nonResourceURLs"], detail))
            continue
        if not rule.get("apiGroups"):
            detail = "resource rules must supply at least one api group"
            causes.append(required(f"{place}.apiGroups", detail))
        if not rule.get("resources"):
            causes.append(required(f"{place}.resources", "resource rules must supply at least one resource"))
    return causes


def _definition_causes(definition: Object) -> list[Cause]:
    spec, name = definition["spec"], definition["metadata"].get("name", "")
    named, versions = spec["names"], spec.get("versions")
    causes = []
    if name != f"{named.get('plural', '')}.{spec.get('group', '')}":
        causes.append(invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not spec.get("group"):
        causes.append(required("spec.group"))
    if not spec.get("scope"):
        causes.append(required("spec.scope"))
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        causes.append(unsupported_value("spec.scope", spec["scope"], ["Cluster", "Namespaced"]))
    for index, version in enumerate(versions or ()):
        if problem := names.dns_label(version.get("name", "")):
            causes.append(invalid_value(f"spec.versions[{index}].name", version.get("name", ""), problem))
        if "openAPIV3Schema" not in version.get("schema", {}):
            causes.append(required(f"spec.versions[{index}].schema.openAPIV3Schema"))
    if [bool(version.get("storage")) for version in versions or ()].count(True) != 1:
        detail = "must have exactly one version marked as storage version"
        causes.append(invalid_value("spec.versions", versions, detail))
    causes += [
        required(f"spec.names.{field}")
        for field in ("plural", "singular", "kind", "listKind")
        if not named.get(field)
    ]
    if not definition["status"].get("storedVersions"):
        detail = "must have at least one stored version"
        causes.append(invalid_value("status.storedVersions", None, detail))
    return causes


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "ClusterRole": _complete_role,
    "ClusterRoleBinding": _complete_binding,
    "CustomResourceDefinition": _complete_definition,
    "Event": _complete_event,
    "Namespace": _complete_namespace,
    "Role": _complete_role,
    "RoleBinding": _complete_binding,
    "Secret": _complete_secret,
}
_CHECKS: dict[str, Callable[[Object], list[Cause]]] = {
    "ClusterRole": _role_causes,
    "ClusterRoleBinding": _binding_causes,
    "CustomResourceDefinition": _definition_causes,
    "Role": _role_causes,
    "RoleBinding": _binding_causes,
    "Secret": _secret_causes,
}
_COMPARISONS: dict[str, Callable[[Object, Object], list[Cause]]] = {
    "ClusterRoleBinding": _binding_changes,
    "RoleBinding": _binding_changes,
    "Secret": _secret_changes,
}
