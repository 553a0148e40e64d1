"""Durations as people give them to a run."""

from __future__ import annotations

import re

from runbook.errors import InvalidInput

DURATION_PATTERN = r"^(?=[0-9])(?:([0-9]{1,5})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?$"
"""A duration as Vault writes it: hours, minutes and seconds, in this order; also understood by a browser."""

LONGEST_HOURS = 87600
"""Ten years: the longest duration that a run takes. A token or a wait beyond that is a slip of the pen."""


def seconds(field: str, duration: str) -> int:
    """Seconds of a duration such as ``1h``, ``90m`` or ``1h30m``.

    Raises:
        InvalidInput: if it is not one, is zero, or is longer than `LONGEST_HOURS`.
    """
    match = re.fullmatch(DURATION_PATTERN, duration)
    hours, minutes, rest = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + rest
    if not 0 < total <= LONGEST_HOURS * 3600:
        raise InvalidInput(
            "input",
            f"{field}={duration[:40]!r}",
            f"is not a duration above zero and of at most {LONGEST_HOURS}h (ten years)",
            "Write it in hours, minutes and seconds, for example '1h', '90m' or '1h30m'.",
        )
    return total
