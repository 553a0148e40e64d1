"""Reading plain JSON objects whose shape nobody has checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def mapping(fields: Any, name: str) -> Mapping[str, Any]:
    """A field that is an object, empty if it is not there or something else."""
    value = fields.get(name) if isinstance(fields, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def items(fields: Any, name: str) -> list[Mapping[str, Any]]:
    """The objects in a field that is a list, none if it is not there or something else."""
    value = fields.get(name) if isinstance(fields, Mapping) else None
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The condition of that type in the status of an object, empty if it has none."""
    conditions = items(mapping(found, "status"), "conditions")
    return next((one for one in conditions if one.get("type") == kind), {})


def text(fields: Any, name: str) -> str:
    """A field that is text, empty if it is not there or something else."""
    value = fields.get(name) if isinstance(fields, Mapping) else None
    return value if isinstance(value, str) else ""


def time(fields: Any, name: str) -> datetime | None:
    """A field that is a time (RFC 3339), in UTC; None if it is not there or something else."""
    try:
        found = datetime.fromisoformat(text(fields, name))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
