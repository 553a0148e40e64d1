"""The artifacts that a run publishes: their keys, and how one is kept that nobody could make later."""

from __future__ import annotations

import time

import httpx
from prefect import get_run_logger
from prefect.artifacts import Artifact
from prefect.exceptions import PrefectHTTPStatusError

from runbook.errors import UnexpectedAnswer
from runbook.names import Subject

PATIENCE = 300.0
"""Seconds that a step waits for Prefect's server to take the record of what the step has done."""

_PAUSE = 2.0


def artifact_key(kind: str, subject: Subject) -> str:
    """For example ``plan-moc-smaug``. Keys are lower-case letters, digits and hyphens."""
    return f"{kind}-{subject.key}"


def prefect_is_away(error: object) -> bool:
    """Whether Prefect's server was busy or away for longer than its own client tries again."""
    if isinstance(error, PrefectHTTPStatusError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    # Nothing but Prefect's client uses httpx.
    return isinstance(error, httpx.TransportError)


def keep(artifact: Artifact, done: str, patience: float = PATIENCE) -> None:
    """Publish the record of something that was just done, and wait while Prefect's server is away.

    A step that went on, or was tried again, would find what it had done as wanted and record nothing.

    Args:
        artifact: the record.
        done: what was done, for people: an object, or a path.
        patience: seconds to wait for the server at most.

    Raises:
        UnexpectedAnswer: the record is missing for good. Trying again would not bring it back.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            artifact.create()
            return
        except (httpx.TransportError, PrefectHTTPStatusError) as error:
            answer = f"is away ({error!r})"
            if isinstance(error, PrefectHTTPStatusError):
                answer = f"answers {error.response.status_code}"
            if not prefect_is_away(error) or time.monotonic() > deadline:
                # Not chained: the request in the error carries the credential of Prefect's API.
                raise UnexpectedAnswer(
                    "Prefect",
                    f"artifact {artifact.key}",
                    f"{answer}; {done} was done, and its record is missing",
                    "The log of the run's process has it as a line of JSON. Repair the server, then retry.",
                ) from None
            get_run_logger().warning("Prefect's server %s; the record of %s waits for it.", answer, done)
            time.sleep(_PAUSE)
