"""Who applied which field: what server-side apply needs to remove, and what it must not overwrite.

A real server writes this into `metadata.managedFields`, and tracks every writer. Here only appliers are
tracked, and only for as long as the server runs: a field that somebody changed by an update or a patch is
simply nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes_api.status import ApiError, Object

Path = tuple[str, ...]
"""The way to a field."""

_IDENTITY: frozenset[Path] = frozenset(
    {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that another manager applied with another value."""

    manager: str
    path: Path


class Ownership:
    """Which fields each manager applied to each object."""

    def __init__(self) -> None:
        self._owned: dict[str, dict[str, set[Path]]] = {}

    def conflicts(self, uid: str, manager: str, live: Object, applied: Object) -> list[Conflict]:
        """The fields that ``manager`` would take from others."""
        now = dict(leaves(live))
        return [
            Conflict(other, path)
            for path, value in leaves(applied)
            for other, owned in sorted(self._owned.get(uid, {}).items())
            if other != manager and path in owned and now.get(path) != value
        ]

    def abandoned(self, uid: str, manager: str, applied: Object) -> set[Path]:
        """The fields that ``manager`` had applied, does not apply now, and shares with nobody."""
        owners = self._owned.get(uid, {})
        others = (paths for other, paths in owners.items() if other != manager)
        return owners.get(manager, set()).difference((path for path, _ in leaves(applied)), *others)

    def record(self, uid: str, manager: str, applied: Object) -> None:
        """``manager`` has now applied this."""
        self._owned.setdefault(uid, {})[manager] = {path for path, _ in leaves(applied)}

    def changed(self, uid: str, before: Object, after: Object) -> None:
        """A write has changed the object: what it changed is no longer its earlier applier's."""
        owners = self._owned.get(uid)
        if owners:
            old, new = dict(leaves(before)), dict(leaves(after))
            touched = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
            for paths in owners.values():
                paths.difference_update(touched)

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._owned.pop(uid, None)


def leaves(item: Object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field below which nothing is owned separately: scalars, lists, empty objects."""
    for name, value in item.items():
        below = (*path, name)
        if below in _IDENTITY:
            continue
        if isinstance(value, dict) and value:
            yield from leaves(value, below)
        else:
            yield below, value


def remove(item: Object, paths: set[Path]) -> None:
    """Take fields out of an object, in place, and what is empty without them."""
    for path in paths:
        _remove(item, path)


def _remove(item: Object, path: Path) -> None:
    name, rest = path[0], path[1:]
    if name not in item:
        return
    if not rest:
        del item[name]
    elif isinstance(item[name], dict):
        _remove(item[name], rest)
    if not item.get(name, True) and name != "metadata":
        del item[name]


def refusal(conflicts: list[Conflict]) -> ApiError:
    """The 409 of an apply that does not force."""
    by_manager: dict[str, list[str]] = {}
    for conflict in conflicts:
        by_manager.setdefault(conflict.manager, []).append(_shown(conflict.path))
    sentences = [
        f'conflict with "{manager}": {fields[0]}'
        if len(fields) == 1
        else f'conflicts with "{manager}":\n- ' + "\n- ".join(fields)
        for manager, fields in by_manager.items()
    ]
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{conflict.manager}"',
            "field": _shown(conflict.path),
        }
        for conflict in conflicts
    ]
    noun = "conflict" if len(conflicts) == 1 else "conflicts"
    message = f"Apply failed with {len(conflicts)} {noun}: " + "\n".join(sentences)
    return ApiError(409, "Conflict", message, {"causes": causes})


def _shown(path: Path) -> str:
    return "".join(f".{step}" for step in path)
