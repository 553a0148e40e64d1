"""Which groups, versions and resources are served: what kubectl and other clients ask first."""

from __future__ import annotations

from itertools import groupby

from sandbox.kubernetes_api.kinds import Kind, Registry
from sandbox.kubernetes_api.status import Object, PageNotFoundError, not_served

KUBERNETES_VERSION = (1, 36, 2)
"""Which Kubernetes the answers follow."""


def version() -> Object:
    """What ``/version`` says, with a build name by which a client can tell a sandbox from a cluster."""
    major, minor, patch = KUBERNETES_VERSION
    return {
        "major": str(major),
        "minor": str(minor),
        "gitVersion": f"v{major}.{minor}.{patch}+sandbox",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "sandbox",
    }


def answer(path: str, registry: Registry, address: str) -> Object:
    """The discovery document at ``path`` (``/api``, ``/apis``, ``/apis/<group>[/<version>]``, ...).

    Args:
        address: ``host:port`` of this server.

    Raises:
        ApiError: 404 for a version that a served group does not have.
        PageNotFoundError: nothing is served there.
    """
    kinds = registry.kinds()
    match path.removeprefix("/").split("/"):
        case ["api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
        case ["api", number]:
            return _resources("", number, kinds)
        case ["apis"]:
            names = list(dict.fromkeys(kind.group for kind in kinds if kind.group))
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(n, kinds) for n in names]}
        case ["apis", name]:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kinds)}
        case ["apis", name, number]:
            return _resources(name, number, kinds)
        case _:
            raise PageNotFoundError(path)


def _group(name: str, kinds: list[Kind]) -> Object:
    numbers = sorted({kind.version for kind in kinds if kind.group == name}, key=_priority)
    if not name or not numbers:
        raise PageNotFoundError(name)
    versions = [{"groupVersion": f"{name}/{number}", "version": number} for number in numbers]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _priority(number: str) -> tuple[int, str]:
    """Stable versions before beta before alpha."""
    rank = 2 if "alpha" in number else 1 if "beta" in number else 0
    return rank, number


def _resources(group: str, number: str, kinds: list[Kind]) -> Object:
    served = [kind for kind in kinds if (kind.group, kind.version) == (group, number)]
    if not served and any(kind.group == group for kind in kinds):
        raise not_served()
    if not served:
        raise PageNotFoundError(group)
    resources = []
    for _, versions in groupby(served, key=lambda kind: kind.resource):
        for kind in versions:
            resources += _entries(kind)
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{number}" if group else number,
        "resources": resources,
    }


def _entries(kind: Kind) -> list[Object]:
    entry: Object = {
        "name": kind.resource,
        "singularName": kind.singular or kind.name.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    entries = [entry]
    common = {"singularName": "", "namespaced": kind.namespaced}
    if kind.has_status:
        verbs = ["get", "update"]
        entries.append({"name": f"{kind.resource}/status", **common, "kind": kind.name, "verbs": verbs})
    if (kind.group, kind.resource) == ("", "serviceaccounts"):
        entries.append(
            {
                "name": "serviceaccounts/token",
                **common,
                "group": "authentication.k8s.io",
                "version": "v1",
                "kind": "TokenRequest",
                "verbs": ["create"],
            }
        )
    return entries
