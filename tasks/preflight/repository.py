"""What preflight asks GitHub and the GitOps repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connections import GitOpsRepository, VaultConnection
from runbook.checks import Check
from runbook.errors import AccessDenied, PrerequisiteMissing
from runbook.gitops import FileEdit, check_repository, declared_namespaces, wanted_edits
from runbook.request import EnableRequest
from systems.github import GitHub
from systems.gitops import GitOpsClone
from tasks.preflight.table import Table
from tasks.repository import clone, store_settings

PROPOSE = "We may propose a change"
TOKEN_END = "Our GitHub token lives long enough"  # noqa: S105 - the name of a row
READ = "The repository can be read"
CONTENT = "Folders of the cluster and its ArgoCD chain"
EDITS = "The change can be worked out"

_A_WEEK = timedelta(days=7)


@dataclass(slots=True)
class RepositoryAnswers:
    """What later questions need of the repository.

    Attributes:
        edits: what the run will propose; none where that could not be worked out.
        declared: namespaces that the cluster's overlay declares; None where it could not be read.
    """

    tables: tuple[Table, Table] = field(
        default_factory=lambda: (Table("GitHub", (PROPOSE, TOKEN_END)), Table("Git", (READ,)))
    )
    edits: tuple[FileEdit, ...] = ()
    declared: frozenset[str] | None = None


def ask_repository(
    connection: GitOpsRepository | None,
    vault: VaultConnection | None,
    request: EnableRequest,
    served_versions: tuple[str, ...],
) -> RepositoryAnswers:
    """Ask GitHub about our rights, and look into a clone; push nothing.

    Args:
        connection: None where it could not be loaded.
        vault: its address goes into the SecretStore; None where it could not be loaded.
        request: the run's parameters.
        served_versions: of the SecretStore on the cluster.
    """
    answers = RepositoryAnswers()
    github, git = answers.tables
    if connection is not None:
        _ask_github(github, connection)

        def look() -> None:
            with clone(connection) as base:
                git.ok(READ, f"{connection.base_branch} at {base.base_commit[:12]}")
                _look_into(answers, base, connection, vault, request, served_versions)

        git.get(READ, look)
    if answers.declared is None and CONTENT not in git.errors:
        git.skip(CONTENT, "the repository could not be read")
    return answers


def _look_into(
    answers: RepositoryAnswers,
    base: GitOpsClone,
    connection: GitOpsRepository,
    vault: VaultConnection | None,
    request: EnableRequest,
    served_versions: tuple[str, ...],
) -> None:
    git, layout = answers.tables[1], connection.layout
    rows = git.get(CONTENT, lambda: check_repository(base.tree, request, layout))
    if rows is None:
        return
    git.add(*rows)
    answers.declared = git.get(CONTENT, lambda: declared_namespaces(base.tree, request, layout))
    if git.errors:
        git.skip(EDITS, "something in the repository is missing")
    elif vault is None:
        git.skip(EDITS, "Vault's address is not known")
    else:
        settings = store_settings(vault, served_versions)
        edits = git.get(EDITS, lambda: wanted_edits(base.tree, request, layout, settings))
        if edits is not None:
            answers.edits = edits
            git.ok(EDITS, f"{len(edits)} files" if edits else "nothing to change")


def _ask_github(table: Table, connection: GitOpsRepository) -> None:
    def ask() -> str | Check:
        with connection.github() as github:
            answer = _may_propose(github, connection)
            table.add(_end_of_token(github.token_ends_at, datetime.now(UTC)))
        return answer

    table.check(PROPOSE, ask)


def _end_of_token(end: datetime | None, now: datetime) -> Check:
    if end is None:
        return Check(TOKEN_END, "not checked", "GitHub does not tell when it ends")
    if end - now > _A_WEEK:
        return Check(TOKEN_END, "ok", f"until {end:%Y-%m-%d}")
    return Check(
        TOKEN_END,
        "warning",
        f"it ends on {end:%Y-%m-%d %H:%M} UTC, and the wait for the merge may take days",
        "Make a new token and put it into the GitOpsRepository.",
    )


def _may_propose(github: GitHub, connection: GitOpsRepository) -> str | Check:
    access = github.access()
    if access.archived:
        raise PrerequisiteMissing(
            "GitHub", access.full_name, "is archived: nothing can be proposed", "Name another repository."
        )
    if access.can_push or connection.fork:
        return f"{access.full_name}" + (f", from the fork of {connection.fork}" if connection.fork else "")
    if github.login() is None:
        return Check(PROPOSE, "not checked", "GitHub does not tell what the token of an App may do")
    raise AccessDenied(
        "GitHub",
        access.full_name,
        "our token may not push to it",
        "Give the token contents and pull requests, read and write, or set `fork` in the GitOpsRepository.",
    )
