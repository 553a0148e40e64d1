"""The errors in the logs of server, worker and services that nobody explains: each is a defect somewhere.

A schedule that never fires, or a service that fails once a minute and goes on, shows nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Known = tuple[str, str]
"""A regular expression that is searched in a record, and why such a record is no defect."""

KNOWN: tuple[Known, ...] = (
    (
        r"\| prefect\.[\s\S]*\(sqlite3\.OperationalError\) database is locked",
        "SQLite has one writer: the server answers 503 and is asked again; its services come again",
    ),
)

_STARTS = re.compile(r"\d{4}-\d\d-\d\d[ T]|\d\d:\d\d:\d\d|[A-Z]{4,8}:\s")
_IS_ERROR = re.compile(r"[-\d:.,TZ+|\s]*\[?(ERROR|CRITICAL|FATAL)\b")
_TRACEBACK = "Traceback (most recent call last)"
_LONGEST = 400


def unexplained(logs: Iterable[Path], known: Iterable[Known] = KNOWN) -> list[str]:
    """The records at level ERROR or above, or with a traceback, that no expression of ``known`` matches.

    Args:
        logs: files; a record is a line that begins with a time or a level, with the lines after it.
        known: what is no defect, each with its reason.

    Returns:
        ``<file's name>: <first line> … <last line>`` of each.
    """
    expected = [re.compile(expression) for expression, _ in known]
    return [
        f"{log.name}: {_in_short(record)}"
        for log in logs
        for record in _records(log)
        if _is_error(record) and not any(one.search("\n".join(record)) for one in expected)
    ]


def _records(log: Path) -> Iterator[list[str]]:
    record: list[str] = []
    for line in log.read_text(errors="replace").splitlines():
        if record and _STARTS.match(line):
            yield record
            record = []
        record.append(line)
    if record:
        yield record


def _is_error(record: list[str]) -> bool:
    return bool(_IS_ERROR.match(record[0])) or any(_TRACEBACK in line for line in record)


def _in_short(record: list[str]) -> str:
    last = f" … {record[-1].strip()}" if len(record) > 1 else ""
    return f"{record[0].strip()}{last}"[:_LONGEST]
