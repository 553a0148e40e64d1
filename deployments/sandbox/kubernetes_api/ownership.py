"""Who applied which field: what server-side apply needs to remove, and what it must not overwrite.

A real server writes this into `metadata.managedFields`, and tracks every writer. Here only appliers are
tracked, and only for as long as the server runs: a field that somebody changed by an update or a patch is
simply nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.kubernetes_api.status import ApiError, Object

Path = tuple[str, ...]
"""The way to a field; a member of a keyed list is a step of its own, such as ``k:{"name":"x"}``."""

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

    def conflicts(
        self, uid: str, manager: str, live: Object, applied: Object, keys: Mapping[str, str]
    ) -> list[Conflict]:
        """The fields that ``manager`` would take from others."""
        now = dict(leaves(live, keys))
        return [
            Conflict(other, path)
            for path, value in leaves(applied, keys)
            for other, owned in sorted(self._owned.get(uid, {}).items())
            if other != manager and path in owned and now.get(path) != value
        ]

    def abandoned(self, uid: str, manager: str, applied: Object, keys: Mapping[str, str]) -> set[Path]:
        """The fields that ``manager`` had applied, does not apply now, and shares with nobody."""
        owners = self._owned.get(uid, {})
        others = (paths for other, paths in owners.items() if other != manager)
        return owners.get(manager, set()).difference((path for path, _ in leaves(applied, keys)), *others)

    def record(self, uid: str, manager: str, applied: Object, keys: Mapping[str, str]) -> None:
        """``manager`` has now applied this."""
        self._owned.setdefault(uid, {})[manager] = {path for path, _ in leaves(applied, keys)}

    def changed(self, uid: str, before: Object, after: Object, keys: Mapping[str, str]) -> None:
        """A write has changed the object: what it changed is no longer its earlier applier's."""
        owners = self._owned.get(uid)
        if owners:
            old, new = dict(leaves(before, keys)), dict(leaves(after, keys))
            touched = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
            for paths in owners.values():
                paths.difference_update(touched)

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._owned.pop(uid, None)


def leaves(item: Object, keys: Mapping[str, str], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field below which nothing is owned separately: scalars, lists without keys, empty objects."""
    for name, value in item.items():
        below = (*path, name)
        if below in _IDENTITY:
            continue
        key = keys.get(name)
        if isinstance(value, dict) and value:
            yield from leaves(value, keys, below)
        elif isinstance(value, list) and key and all(isinstance(m, dict) and key in m for m in value):
            for member in value:
                yield from leaves(member, keys, (*below, _member(key, member)))
        else:
            yield below, value


def remove(item: Object, paths: set[Path], keys: Mapping[str, str]) -> None:
    """Take fields out of an object, in place, and what is empty without them."""
    for path in paths:
        _remove(item, path, keys)


def _remove(item: Object, path: Path, keys: Mapping[str, str]) -> None:
    name, rest = path[0], path[1:]
    if name not in item:
        return
    if not rest:
        del item[name]
    elif isinstance(item[name], dict):
        _remove(item[name], rest, keys)
    elif isinstance(item[name], list) and name in keys:
        key = keys[name]
        for member in item[name]:
            if _member(key, member) == rest[0] and len(rest) > 1:
                _remove(member, rest[1:], keys)
        # The key is a field like any other: a member whose key has gone is gone as a whole.
        item[name] = [member for member in item[name] if key in member]
    if not item.get(name, True) and name != "metadata":
        del item[name]


def _member(key: str, member: Object) -> str:
    return f'k:{{"{key}":"{member.get(key)}"}}'


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
    return "".join(
        f"[{step.removeprefix('k:')[1:-1]}]" if step.startswith("k:") else f".{step}" for step in path
    )
