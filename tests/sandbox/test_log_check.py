"""Errors in logs: each kind of line that the processes of an installation write when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.log_check import unexplained

SCHEDULER = """\
07:01:02.345 | ERROR   | prefect.server.services.scheduler - Unexpected error in: InvalidRequestError("Can't")
Traceback (most recent call last):
  File "scheduler.py", line 1, in run_once
sqlalchemy.exc.InvalidRequestError: Can't evaluate bulk DML statement
07:01:03.000 | INFO    | prefect.server - goes on
"""
SERVICE = "2026-01-01 07:01:02,345 ERROR The look at sandbox/gitops failed\n"
VAULT = "2026-01-01T07:01:02.345Z [ERROR] core: failed to seal\n"
UVICORN = "INFO:     Started\nERROR:    Exception in ASGI application\n"
BARE = "starting\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n"
QUIET = """\
2026-01-01 07:01:02,345 INFO somebody's branch is called ERROR
07:01:03.000 | WARNING | prefect - retrying
07:01:03.000 | ERROR   | prefect.server - Encountered error during state validation
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SCHEDULER, "… sqlalchemy.exc.InvalidRequestError: Can't evaluate bulk DML statement"),
        (SERVICE, "The look at sandbox/gitops failed"),
        (VAULT, "core: failed to seal"),
        (UVICORN, "Exception in ASGI application"),
        (BARE, "starting … KeyError: 'x'"),
        (QUIET, ""),
        (QUIET + SERVICE, "The look at sandbox/gitops failed"),
    ],
)
def test_errors_are_found_and_known_ones_are_not_told(tmp_path: Path, text: str, found: str) -> None:
    log = tmp_path / "one.log"
    log.write_text(text)
    errors = unexplained([log])
    assert len(errors) == bool(found)
    assert all(error.startswith("one.log: ") and found in error for error in errors)


def test_who_breaks_things_on_purpose_says_what_is_expected(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    log.write_text(SERVICE + VAULT)
    (error,) = unexplained([log], [("failed to seal", "it was sealed on purpose")])
    assert "The look" in error
