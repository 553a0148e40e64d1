"""What a failed answer of an API server says: its status object, and what is in its headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from kubernetes.client.exceptions import ApiException


def _status_of(error: ApiException) -> dict[str, Any]:
    try:
        status = json.loads(error.body or "")
    except (ValueError, RecursionError):  # a RecursionError where it is nested without end
        return {}
    return status if isinstance(status, dict) else {}


def is_status(error: ApiException) -> bool:
    """Whether it is the API server's own answer, and not that of a proxy or web server at that address."""
    return _status_of(error).get("kind") == "Status"


def no_path(error: ApiException) -> bool:
    """Whether the API server does not serve such a path, and so not the kind that is asked for."""
    return str(error.body or "").strip() == "404 page not found"


def words(error: ApiException) -> str:
    """The API server's own sentence, cut to 1000 characters."""
    message = _status_of(error).get("message")
    return str(message)[:1000] if message else str(error.reason or "without a reason")


def retry_after(error: ApiException) -> float | None:
    """Seconds after which it wants to be asked again; None where it does not say."""
    value = str((error.headers or {}).get("Retry-After") or "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def reason(error: BaseException) -> str:
    """The last sentence of an error of urllib3, which begins with the connection's object address."""
    text = str(error).strip() or type(error).__name__
    return text.rsplit(">: ", 1)[-1].rsplit("): ", 1)[-1]
