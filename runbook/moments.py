"""Moments as other systems write them down."""

from __future__ import annotations

from datetime import UTC, datetime


def from_epoch(seconds: object) -> datetime | None:
    """Seconds since 1970 as UTC; None for what is no moment that a calendar has, whatever was sent."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
