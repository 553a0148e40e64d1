"""Step: find out why the login does not work, and publish everything that was asked."""

from __future__ import annotations

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from runbook.diagnosis.examination import Examination
from runbook.errors import VerificationFailed
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks import connect
from tasks.artifacts import artifact_key
from tasks.diagnosis.examine import Asked, examine
from tasks.reviewer_record import find_record
from tasks.step import look

_MARKS = {"right": "✅", "wrong": "❌", "not known": "❔ not known"}


def publish_examination(request: EnableRequest, examination: Examination) -> None:
    """All questions and answers as a table of the run, with the one line above it."""
    create_table_artifact(
        table=[
            {"question": row.question, "system": row.system, "": _MARKS[row.mark], "answer": row.answer}
            for row in examination.rows
        ],
        key=artifact_key("diagnosis", request.target),
        description=f"{request.target}: {examination.line}",
    )


def look_into(vault: Vault, openshift: OpenShift, request: EnableRequest) -> Examination:
    """Ask everything, publish it, and log the one line."""
    examination = examine(Asked(vault, openshift), request, find_record(request))
    publish_examination(request, examination)
    logger = get_run_logger()
    for cause in examination.causes:
        logger.warning("%s. %s", cause.line, cause.remedy)
    return examination


def failure(examination: Examination) -> VerificationFailed | None:
    """The error that says the cause; None if all is well."""
    if not examination.causes:
        return None
    cause = examination.causes[0]
    return VerificationFailed(cause.system, cause.subject, cause.answer, cause.remedy)


@look("diagnose the login")
def diagnose_login(request: EnableRequest) -> str:
    """Prove the login, or find the cause. Writes nothing but the run's artifact.

    Returns:
        The one line, where all is well.

    Raises:
        VerificationFailed: the cause and its remedy.
    """
    with connect.openshift(request) as openshift, connect.vault(request) as vault:
        examination = look_into(vault, openshift, request)
    error = failure(examination)
    if error is not None:
        raise error
    get_run_logger().info("%s: %s", request.target, examination.line)
    return examination.line
