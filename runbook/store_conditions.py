"""Which namespaces the conditions of a ClusterSecretStore let use it, as the operator reads them.

Without conditions all may. Else one condition has to name the namespace, match its name by an expression that
may match anywhere in it, or select it by its labels.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from runbook.documents import items_of, mappings_of


def allows(spec: object, namespace: str) -> bool | None:
    """Whether a namespace may use it; None where only its labels tell, or an expression is not a simple one.

    Args:
        spec: of the ClusterSecretStore.
        namespace: its name.
    """
    conditions = mappings_of(spec, "conditions")
    if not conditions:
        return True
    if any(namespace in items_of(one.get("namespaces")) for one in conditions):
        return True
    matches = [
        _matches(str(pattern), namespace)
        for one in conditions
        for pattern in items_of(one.get("namespaceRegexes"))
    ]
    if True in matches:
        return True
    by_label = any(one.get("namespaceSelector") is not None for one in conditions)
    return None if by_label or None in matches else False


def closed_to(spec: object, namespaces: Iterable[str]) -> tuple[str, ...]:
    """Those of the namespaces that may surely not use it."""
    return tuple(one for one in namespaces if allows(spec, one) is False)


def unknown_to(spec: object, namespaces: Iterable[str]) -> tuple[str, ...]:
    """Those of which nobody can say without their labels."""
    return tuple(one for one in namespaces if allows(spec, one) is None)


def named_in(spec: object) -> list[Any]:
    """All that the conditions name."""
    return [name for one in mappings_of(spec, "conditions") for name in items_of(one.get("namespaces"))]


def without(spec: Any, namespaces: Collection[str]) -> Any:
    """The same spec, but these are not named in its conditions."""
    conditions = [
        {**one, "namespaces": [name for name in items_of(one["namespaces"]) if name not in namespaces]}
        if one.get("namespaces")
        else one
        for one in mappings_of(spec, "conditions")
    ]
    return {**spec, "conditions": conditions} if conditions else spec


def newly_named(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What the conditions of a store name more than they did, sorted; none if anything else differs, too.

    Args:
        before, after: its manifest.
    """
    spec, former = after.get("spec"), before.get("spec")
    more = set(map(str, named_in(spec))).difference(map(str, named_in(former)))
    same = {**after, "spec": without(spec, more)} == before
    return sorted(more) if same else []


_SIMPLE = re.compile(r"\^?(\((\?:)?[\w|-]*\)|(\.|\[\^?[\w-]+\])[*+?]?|[\w|-])*\$?")
"""Expressions that Go reads as Python does."""

_LONGEST, _MOST = 200, 3
"""Characters, and repetitions and groups, of an expression that is tried. Python tries all ways to part a
name between them: ``(a+)+`` of somebody else's would never end."""


def _matches(pattern: str, namespace: str) -> bool | None:
    choices = sum(map(pattern.count, "*+?("))
    if len(pattern) > _LONGEST or choices > _MOST or not _SIMPLE.fullmatch(pattern):
        return None
    try:
        return re.search(pattern, namespace) is not None
    except re.error:
        return None
