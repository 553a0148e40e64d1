"""What preflight asks GitHub and the GitOps repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from change.execution import cloned
from change.table import Table
from connections import GitOpsRepository, VaultConnection
from runbook.application_names import ApplicationNames
from runbook.checks import Check
from runbook.errors import AccessDenied, Conflict, EnablementError, PrerequisiteMissing
from runbook.gitops import (
    Builds,
    EditedTree,
    FileEdit,
    Rebuilt,
    StoreSettings,
    Tree,
    application_names,
    build_named,
    built_namespaces,
    check_repository,
    declared_namespaces,
    judge,
    needed_files,
    store_namespaces,
)
from runbook.request import ClusterRequest
from systems.github import GitHub
from systems.github_answers import RepositoryAccess
from systems.gitops import GitOpsClone
from tasks.preflight.later import to_write
from tasks.runbooks import ClusterRunbook, complete, kustomize_of_this_execution, store_settings

PROPOSE = "We may propose a change"
TOKEN_END = "Our GitHub token lives long enough"  # noqa: S105 - the name of a row
READ = "The repository can be read"
BRANCH = "The branch of the change can be created"
RULES = "Branch rules let our commit in"
CONTENT = "Folders of the cluster and its ArgoCD chain"
EDITS = "The change can be worked out"

_A_WEEK = timedelta(days=7)
_NOTHING_TO_PUSH = "nothing to push"

_HINDER = frozenset(
    {
        "branch_name_pattern",
        "commit_author_email_pattern",
        "commit_message_pattern",
        "committer_email_pattern",
        "creation",
        "file_path_restriction",
        "non_fast_forward",
        "pull_request",
        "required_deployments",
        "required_status_checks",
        "update",
        "workflows",
    }
)
"""Types of rules by which GitHub may refuse a push to the branch of the change."""


@dataclass(slots=True)
class RepositoryAnswers:
    """What later questions need of the repository.

    Attributes:
        edits: what the run will propose; None where that could not be worked out.
        signs: whether its commit has to be signed; None where nobody was asked.
        declared: namespaces that the cluster's overlay declares; None where it could not be read.
        applications: what ArgoCD calls the Applications to sync.
        is_known: False where the repository has no cluster of that name.
        stores: namespaces for which the overlay builds our SecretStore; None where it cannot be built.
    """

    tables: tuple[Table, Table] = field(
        default_factory=lambda: (Table("GitHub", (PROPOSE, TOKEN_END, RULES)), Table("Git", (READ, BRANCH)))
    )
    edits: tuple[FileEdit, ...] | None = None
    signs: bool | None = None
    declared: frozenset[str] | None = None
    applications: ApplicationNames = field(default_factory=ApplicationNames)
    is_known: bool = True
    stores: frozenset[str] | None = None


def ask_repository(
    runbook: ClusterRunbook,
    connection: GitOpsRepository | None,
    vault: VaultConnection | None,
    request: ClusterRequest,
    served_versions: tuple[str, ...],
) -> RepositoryAnswers:
    """Ask GitHub about our rights, and look into a clone; push nothing.

    Args:
        runbook: knows what the run proposes.
        connection: None where it could not be loaded.
        vault: its address goes into the SecretStore; None where it could not be loaded.
        request: the run's parameters.
        served_versions: of the SecretStore on the cluster.
    """
    answers = RepositoryAnswers()
    if connection is not None:
        _Asking(answers, runbook, connection, vault, request, served_versions).ask()
    git = answers.tables[1]
    if answers.declared is None and CONTENT not in git.errors:
        git.skip(CONTENT, "the repository could not be read")
    return answers


@dataclass(frozen=True, slots=True)
class _Asking:
    """Fills the answers; see `ask_repository`."""

    answers: RepositoryAnswers
    runbook: ClusterRunbook
    connection: GitOpsRepository
    vault: VaultConnection | None
    request: ClusterRequest
    served_versions: tuple[str, ...]

    def ask(self) -> None:
        github, git = self.answers.tables
        git.get(READ, self._clone)
        github.check(PROPOSE, self._github)

    def _clone(self) -> None:
        git, connection = self.answers.tables[1], self.connection
        with cloned(connection, anew=True) as base:
            git.ok(READ, f"{connection.base_branch} at {base.base_commit[:12]}")
            self._look_into(base)
            if self.answers.edits == ():
                git.skip(BRANCH, _NOTHING_TO_PUSH)
            else:
                git.check(BRANCH, lambda: _branch(base, connection, self.request.subject.branch))

    def _look_into(self, base: GitOpsClone) -> None:
        answers, request, layout = self.answers, self.request, self.connection.layout
        git, tree = answers.tables[1], base.tree
        if tree.is_partial:
            tree.prefetch(needed_files(tree, request, layout))
        answers.is_known = bool(tree.entries(layout.cluster_overlay_of(request.target)))
        rows = git.get(CONTENT, lambda: check_repository(tree, request, layout))
        if rows is None:
            return
        git.add(*rows)
        answers.declared = git.get(CONTENT, lambda: declared_namespaces(tree, request, layout))
        if git.errors:
            git.skip(EDITS, "something in the repository is missing")
        elif self.vault is None:
            git.skip(EDITS, "Vault's address is not known")
        elif not request.namespaces:
            git.skip(EDITS, "no namespace is named")
        else:
            settings = store_settings(self.vault, self.served_versions)
            git.get(EDITS, lambda: self._build(tree, settings))

    def _build(self, tree: Tree, settings: StoreSettings) -> None:
        """Work out the change, and build what it touches without and with it."""
        answers, request, layout = self.answers, self.request, self.connection.layout
        git, target = answers.tables[1], request.target
        folders = (
            layout.cluster_overlay_of(target),
            layout.operator_overlay_of(target),
            layout.applications_of(target),
        )
        with kustomize_of_this_execution() as kustomize:
            *before, bundle = build_named(kustomize.build, tree, *folders, layout.operator_bundle)
            answers.edits = self.runbook.edits(tree, request, layout, settings, partial(complete, kustomize))
            git.ok(EDITS, f"{len(answers.edits)} files" if answers.edits else "nothing to change")
            above, edited = layout.app_of_apps_of(target), EditedTree(tree, answers.edits)
            *after, app_of_apps = build_named(kustomize.build, edited, *folders, above)
        overlay, operator, applications = map(Rebuilt, before, after)
        builds = Builds(overlay, operator, applications, bundle)
        git.add(*judge(builds, request, layout, settings))
        if not overlay.after.failure:
            answers.declared = built_namespaces(overlay.after, request)
            answers.stores = store_namespaces(overlay.after, request)
        answers.applications = application_names(builds, app_of_apps, request, layout)

    def _github(self) -> str | Check:
        table, connection = self.answers.tables[0], self.connection
        with connection.github() as github:
            access = github.access()
            answer = to_write(self.request, PROPOSE, lambda: _may_propose(github, access, connection))()
            table.add(_end_of_token(github.token_ends_at, datetime.now(UTC)))
            if self.answers.edits == ():
                table.skip(RULES, _NOTHING_TO_PUSH)
            else:
                table.check(RULES, lambda: self._rules(github))
        return answer

    def _rules(self, github: GitHub) -> str | Check:
        connection, branch = self.connection, self.request.subject.branch
        base = github.rules_of(connection.base_branch)
        # Of a fork the base branch's rules count: it does not take in what is not signed.
        ours = frozenset() if connection.fork else github.rules_of(branch)
        signs = self.answers.signs = any("required_signatures" in (rules or ()) for rules in (base, ours))
        if base is None or ours is None:
            return Check(RULES, "not checked", "this server does not tell the rules of a branch")
        hinder = sorted(ours & _HINDER)
        if hinder:
            return Check(
                RULES,
                "warning",
                f"{branch} has the rules {', '.join(hinder)}: GitHub may refuse our push",
                f"Exempt `{branch.partition('/')[0]}/**` from these rules, or let the token's owner bypass "
                "them.",
            )
        if signs:
            return "commits must be signed: GitHub creates and signs ours, in the name of the token's owner"
        return "none is in the way"


def _branch(base: GitOpsClone, connection: GitOpsRepository, branch: str) -> str | Check:
    """Whether another branch's name keeps ours from being made, in the fork where there is one."""
    if not connection.fork:
        return f"{branch} {'is there' if base.head_of(branch) else 'will be created'}"
    try:
        with connection.github() as github:
            fork = github.fork_of(connection.fork)
        there = base.head_of(branch, fork.clone_url, connection.token)
    except Conflict:
        raise
    except EnablementError as error:
        base.head_of(branch)  # a new fork gets the branches of the repository
        why = f"the branches of the fork of {connection.fork} are not known: {error.subject}: {error.answer}"
        return Check(BRANCH, "not checked", why, "A missing fork is created at the push.")
    return f"{branch} {'is there' if there else 'will be created'} in {fork.full_name}"


def _end_of_token(end: datetime | None, now: datetime) -> Check:
    if end is None:
        return Check(TOKEN_END, "not checked", "GitHub does not tell when it expires")
    if end - now > _A_WEEK:
        return Check(TOKEN_END, "ok", f"until {end:%Y-%m-%d}")
    return Check(
        TOKEN_END,
        "warning",
        f"it expires on {end:%Y-%m-%d %H:%M} UTC, and the wait for the merge may take days",
        "Put a new token into the GitOpsRepository.",
    )


def _may_propose(github: GitHub, access: RepositoryAccess, connection: GitOpsRepository) -> str | Check:
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
