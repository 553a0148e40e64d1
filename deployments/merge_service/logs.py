"""The service's log: lines for people, or objects for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from runbook.foreign_text import plain

Format = Literal["text", "json"]

_FIELDS = ("run_id", "run_name", "repository")
"""Of the lines that have them."""


class TextLines(logging.Formatter):
    """``<time> <level> <message>`` on a line, whatever others wrote into a name or an answer."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line; a traceback follows it."""
        record.message = plain(record.message)
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """Each record an object on a line: ``time``, ``level``, ``message``, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(style: Format) -> logging.Logger:
    """The service's log; warnings of libraries go to the same place."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    log = logging.getLogger("merge_service")
    log.setLevel(logging.INFO)
    return log
