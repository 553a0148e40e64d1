"""Reading plain JSON objects whose shape nobody has checked, field by field on the way into them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def at(fields: Any, *names: str) -> Any:
    """What stands there: ``at(found, "status", "allowed")``; None where something on the way is missing."""
    for name in names:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields


def mapping(fields: Any, *names: str) -> Mapping[str, Any]:
    """A field that is an object, empty if it is not there or something else."""
    value = at(fields, *names)
    return value if isinstance(value, Mapping) else {}


def items(fields: Any, *names: str) -> list[Mapping[str, Any]]:
    """The objects in a field that is a list, none if it is not there or something else."""
    value = at(fields, *names)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def texts(fields: Any, *names: str) -> list[str]:
    """The texts in a field that is a list, none if it is not there or something else."""
    value = at(fields, *names)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The condition of that type in the status of an object, empty if it has none."""
    conditions = items(found, "status", "conditions")
    return next((one for one in conditions if one.get("type") == kind), {})


def text(fields: Any, *names: str) -> str:
    """A field that is text, empty if it is not there or something else."""
    value = at(fields, *names)
    return value if isinstance(value, str) else ""


def time(fields: Any, *names: str) -> datetime | None:
    """A field that is a time (RFC 3339), in UTC; None if it is not there or something else."""
    try:
        found = datetime.fromisoformat(text(fields, *names))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
