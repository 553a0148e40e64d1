"""The repositories that the connections name, and which deliveries concern runs that wait for them.

Only what decides that is read of a delivery: it says where to look, and GitHub and the base branch say what
is there.
"""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import AliasPath, BaseModel, ConfigDict, Field

from connections import GitOpsRepository
from tasks.runbooks import RUNBOOKS

Known = frozenset[tuple[str, str]]
"""The repositories of the connections (``owner/name``), each with its base branch."""

_BRANCH_REF = "refs/heads/"
_OURS = tuple(runbook.branches for runbook in RUNBOOKS)
# `opened` is the run's own doing. `edited` also tells of another base branch.
_ACTIONS = frozenset({"closed", "reopened", "synchronize", "edited"})


class _Delivery(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    full_name: str = Field(validation_alias=AliasPath("repository", "full_name"))


class _PullRequest(_Delivery):
    action: str


class _Push(_Delivery):
    ref: str


def read_repositories() -> Known:
    """Ask the Prefect server for the `GitOpsRepository` Blocks. Their tokens stay there.

    Raises:
        httpx.HTTPError: the server did not answer, or refused.
    """
    slug = GitOpsRepository.get_block_type_slug()
    try:
        with get_client(sync_client=True) as client:
            blocks = client.read_block_documents_by_type(slug, include_secrets=False)
    except ObjectNotFound:
        return frozenset()  # no connection was ever saved
    return frozenset(
        (str(block.data.get("repository")), str(block.data.get("base_branch"))) for block in blocks
    )


def what_to_look_at(event: str, body: bytes, known: Known) -> list[str]:
    """What to look at because of a delivery.

    Args:
        event: ``pull_request`` or ``push``.
        body: the payload, JSON in UTF-8.
        known: the repositories of the connections.

    Returns:
        Repositories as the connections spell them, for GitHub takes a name in any case and delivers it in
        one; none if the delivery concerns none of them.

    Raises:
        pydantic.ValidationError: it is not JSON, or not of that event's shape.
    """
    base_branch = None
    delivery: _Push | _PullRequest
    if event == "push":
        delivery = _Push.model_validate_json(body)
        relevant = delivery.ref.startswith(_BRANCH_REF)
        branch = delivery.ref.removeprefix(_BRANCH_REF)
        base_branch = None if branch.startswith(_OURS) else branch
    else:
        delivery = _PullRequest.model_validate_json(body)
        relevant = delivery.action in _ACTIONS
    full_name = delivery.full_name.lower()
    return sorted(
        name
        for name, branch in known
        if relevant and name.lower() == full_name and base_branch in (None, branch)
    )
