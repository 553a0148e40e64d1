"""What a request asks for, read from its method, path and query alone.

Authorization and dispatch both work on this and nothing else, as in a real API server: a path that is
understood one way by the one and another way by the other would be a hole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_TRUE = frozenset({"1", "true", "True", "TRUE", "t", "T"})


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """``verb`` is the API's (``list``, ``deletecollection``) for resources, else the lower-case method."""

    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    malformed: bool = False


def flag(query: Mapping[str, str], name: str) -> bool:
    """Whether a boolean query parameter is set."""
    return query.get(name, "") in _TRUE


def parse(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """Read a request; discovery and health paths come back with ``is_resource`` False."""
    parts = path.removeprefix("/").removesuffix("/").split("/")
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(path=path, verb=method.lower())

    malformed = "" in parts
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return RequestInfo(
        path=path,
        verb=_verb(method, name, query),
        is_resource=True,
        group=group,
        version=version,
        namespace=namespace,
        resource=rest[0],
        name=name,
        subresource=rest[2] if len(rest) > 2 else "",
        malformed=malformed or len(rest) > 3,
    )


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if name:
            return "get"
        return "watch" if flag(query, "watch") else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, method.lower())
