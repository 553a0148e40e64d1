"""Reading plain JSON objects whose shape nobody has checked, field by field on the way into them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runbook.documents import field, items_of, mappings_of


def mapping(fields: Any, *names: str) -> Mapping[str, Any]:
    """A field that is an object, empty if it is not there or something else."""
    value = field(fields, *names)
    return value if isinstance(value, Mapping) else {}


def texts(fields: Any, *names: str) -> list[str]:
    """The texts in a field that is a list, none if it is not there or something else."""
    return [one for one in items_of(field(fields, *names)) if isinstance(one, str)]


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The condition of that type in the status of an object, empty if it has none."""
    conditions = mappings_of(found, "status", "conditions")
    return next((one for one in conditions if one.get("type") == kind), {})


def text(fields: Any, *names: str) -> str:
    """A field that is text, empty if it is not there or something else."""
    value = field(fields, *names)
    return value if isinstance(value, str) else ""


def time(fields: Any, *names: str) -> datetime | None:
    """A field that is a time (RFC 3339), in UTC; None if it is not there or something else."""
    try:
        found = datetime.fromisoformat(text(fields, *names))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
