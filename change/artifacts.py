"""What a run publishes: cards for people, one of each kind, and what nobody could make later."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.objects import Artifact as Card
from prefect.client.schemas.sorting import ArtifactSort
from prefect.context import TaskRunContext
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run

from runbook.errors import UnexpectedAnswer
from runbook.names import Subject

DATA = "result"
"""Type of what only later steps read: Prefect's UI shows it on the page of no run."""

PATIENCE = 300.0
"""Seconds that a step waits for Prefect's server to take the record of what the step has done."""

_PAUSE = 2.0

_PAGE = 50
"""Artifacts a request; a plan has some kilobytes."""


def artifact_key(kind: str, subject: Subject) -> str:
    """For example ``plan-moc-smaug``. Keys are lower-case letters, digits and hyphens."""
    return f"{kind}-{subject.key}"


def published(*keys: str, run: UUID | None = None, types: tuple[str, ...] = ()) -> Iterator[Card]:
    """The artifacts with one of these keys, newest first.

    Args:
        keys: see `artifact_key`. Those of different clusters can be alike: a/b-c and a-b/c.
        run: only those of this flow run.
        types: only those of one of these types.
    """
    wanted: dict[str, Any] = {"key": {"any_": list(keys)}}
    if run:
        wanted["flow_run_id"] = {"any_": [run]}
    if types:
        wanted["type"] = {"any_": list(types)}
    seen, more = 0, True
    while more:
        with get_client(sync_client=True) as client:
            page = client.read_artifacts(
                artifact_filter=ArtifactFilter.model_validate(wanted),
                sort=ArtifactSort.CREATED_DESC,
                limit=_PAGE,
                offset=seen,
            )
        yield from page
        seen, more = seen + len(page), len(page) == _PAGE


def content(artifact: Card) -> Any:
    """What an artifact holds, if that is JSON; some clients keep it as text."""
    return json.loads(artifact.data) if isinstance(artifact.data, str) else artifact.data


def shown(kind: str, subject: Subject, type_: str = "markdown") -> Card | None:
    """The card of this kind that this run has published; None if it has not yet."""
    cards = published(artifact_key(kind, subject), run=UUID(str(flow_run.id)), types=(type_,))
    return next(cards, None)


def show(
    kind: str,
    subject: Subject,
    data: str | float,
    description: str,
    type_: str = "markdown",
    *,
    on_top: bool = False,
) -> None:
    """Publish a card of this run, or bring up to date the one that it has.

    Args:
        kind, subject: see `artifact_key`.
        data: as Prefect's UI reads it.
        description: a line for people.
        type_: one that Prefect's UI knows.
        on_top: of the flow run and not of its task: the UI shows those first.
    """
    card, task = shown(kind, subject, type_), TaskRunContext.get()
    with get_client(sync_client=True) as client:
        if card:
            client.update_artifact(card.id, ArtifactUpdate(data=data, description=description))
            return
        new = ArtifactCreate(
            key=artifact_key(kind, subject),
            type=type_,
            data=data,
            description=description,
            flow_run_id=UUID(str(flow_run.id)),
            task_run_id=task.task_run.id if task and not on_top else None,
        )
        client.create_artifact(new)


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
            answer = f"does not answer ({error!r})"
            if isinstance(error, PrefectHTTPStatusError):
                answer = f"answers {error.response.status_code}"
            if not prefect_is_away(error) or time.monotonic() > deadline:
                # Not chained: the request in the error carries the credential of Prefect's API.
                raise UnexpectedAnswer(
                    "Prefect",
                    f"artifact {artifact.key}",
                    f"{answer}; {done} was done, but its record is missing",
                    "The log of the run's process has it as a line of JSON. Repair the server, then retry.",
                ) from None
            get_run_logger().warning("The Prefect server %s; the record of %s waits for it.", answer, done)
            time.sleep(_PAUSE)
