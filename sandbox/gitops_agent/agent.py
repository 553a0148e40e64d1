"""ArgoCD and the Operator Lifecycle Manager for one cluster, in one loop.

Nothing is pruned: an object that disappears from the repository stays on the cluster, as with ArgoCD's
auto-prune off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Self

from sandbox.environment import clean_environment
from sandbox.gitops_agent.applications import (
    Application,
    ChainError,
    applications_of,
    of_cluster_management,
)
from sandbox.gitops_agent.base_branch import BaseBranch
from sandbox.gitops_agent.cluster import Cluster, ClusterError
from sandbox.gitops_agent.kustomize import Kustomize
from sandbox.gitops_agent.manifests import Identity, Manifest, RenderError
from sandbox.gitops_agent.onboarding import CarefulApply, Ledger, selection
from sandbox.gitops_agent.operator_lifecycle import (
    SUBSCRIPTION,
    OperatorLifecycle,
    is_of_operator,
    subscribes,
)
from sandbox.gitops_agent.options import Options
from sandbox.gitops_agent.source import RepositoryError, Source
from sandbox.gitops_agent.sync import SyncResult, may_wait, placed, sync, unserved
from sandbox.processes import write_ready

_NAMED = 3
"""Of objects in one line."""


@dataclass(slots=True)
class ApplicationState:
    """One Application at one commit."""

    application: Application
    manifests: tuple[Manifest, ...]
    result: SyncResult | None = None

    @property
    def synced(self) -> bool:
        """Whether everything of it is on the cluster."""
        return self.result is not None and self.result.done

    @property
    def message(self) -> str:
        """One line about how it stands."""
        if self.result is None:
            return "not synced yet"
        if self.result.failed:
            return f"not synced: {'; '.join(self.result.failed)}"
        if self.result.waiting:
            first = ", ".join(map(str, self.result.waiting[:_NAMED]))
            others = len(self.result.waiting) - _NAMED
            more = f" and {others} more" if others > 0 else ""
            return f"synced but for {first}{more}: the kind is not served yet"
        return f"synced, {len(self.result.applied)} objects"


@dataclass(slots=True)
class Report:
    """What the agent did; ``report.json`` has the same fields."""

    head: str = ""
    problem: str = ""
    applications: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class GitOpsAgent:
    """Brings what the repository says onto the cluster, round after round.

    Args:
        options: see `Options`.
        log: takes each line that is worth reading.
    """

    def __init__(self, options: Options, log: Callable[[str], None] = print) -> None:
        self.options = options
        self.report = Report()
        self._log = log
        self._said: dict[str, str] = {}
        options.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = clean_environment(options.state_dir / "home")
        self._source = Source(options, environment)
        self._kustomize = Kustomize(self._source.tree, environment)
        self.cluster = Cluster(options.kubeconfig)
        self.ledger = Ledger(options.state_dir / "created.json")
        self._lifecycle = OperatorLifecycle(self.cluster, self._apply, options.operator_delay)
        self._base: BaseBranch | None = None
        self._states: dict[str, ApplicationState] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.cluster.__exit__()

    def round(self) -> None:
        """One look: take a new head, sync what is not in sync, play the operator's lifecycle."""
        try:
            if self._source.head() != self.report.head:
                self._take(self._source.export())
            self._say("repository", "")
            self._sync_all()
            self._say("cluster", "")
        except RepositoryError as error:
            self._say("repository", str(error))
        except ClusterError as error:
            self._say("cluster", str(error))
        else:
            write_ready(self.options.state_dir / "ready.json", {"head": self.report.head})
        write_ready(self.options.state_dir / "report.json", asdict(self.report))

    def _take(self, head: str) -> None:
        """Render the Applications of a new head. One that renders as before stays in sync."""
        self.report.head = head
        self._log(f"{self.options.branch} is at {head[:10]}")
        try:
            found = applications_of(self._kustomize, self.options)
            applications, others = of_cluster_management(found, self.options)
            self.report.problem = ""
        except ChainError as error:
            applications, others = (), ()
            self.report.problem = str(error)
        self._say("applications", self.report.problem)
        for other in others:
            self._leave_out(f"Application {other.name}", f"project {other.project} of {other.repository}")
        before, self._states = self._states, {}
        self.report.applications = {}
        for application in applications:
            state = self._rendered(application)
            if state is None:
                continue
            known = before.get(application.name)
            if known and (known.application, known.manifests) == (state.application, state.manifests):
                state = known
                self._tell(state)
            self._states[application.name] = state
            if state.result and state.result.failed:
                self._tell(state)

    def _rendered(self, application: Application) -> ApplicationState | None:
        """None for an Application that is no part of an onboarding, where only that is applied."""
        failed: list[str] = []
        manifests: tuple[Manifest, ...] = ()
        try:
            rendered = self._kustomize.build(application.path)
        except RenderError as error:
            failed = [str(error)]
        else:
            manifests = rendered.manifests
            for sentence in rendered.left_out:
                self._leave_out(f"{application.name}, {sentence.split(':')[0]}", sentence)
            if self.options.only_onboarding:
                manifests = selection(self._kustomize, self.options, application, rendered)
                if not manifests:
                    return None
        return ApplicationState(application, manifests, SyncResult(failed=failed) if failed else None)

    def _sync_all(self) -> None:
        self.cluster.forget()
        if self._base is None:
            self._base = self._begin()
        for state in self._states.values():
            if state.synced or (state.result and not state.manifests):
                continue  # in sync, or not buildable at this head
            self._sync(state)
        if self._plays_operator() and self._lifecycle.step():
            self._log("the operator's CRDs are there")
            self.cluster.forget()

    def _begin(self) -> BaseBranch:
        """The cluster as the first head found it; see `BaseBranch`."""
        base = BaseBranch.of(
            [
                placed(self.cluster, one, state.application.namespace)
                for state in self._states.values()
                for one in state.manifests
            ]
        )
        if not self.options.only_onboarding:
            self._need_namespaces(base.namespaces)
            if base.has_operator:
                self._lifecycle.install()
        return base

    def _sync(self, state: ApplicationState) -> None:
        manifests = self._applicable(state.manifests)
        needed = (
            placed(self.cluster, one, state.application.namespace)["metadata"].get("namespace", "")
            for one in manifests
        )
        self._need_namespaces(
            # OpenShift itself brings those that begin with its name, whether a repository uses them or not.
            name
            for name in needed
            if self.options.only_onboarding or name.startswith("openshift-")
        )
        state.result = sync(
            self.cluster, manifests, state.application.namespace, self._apply, self._may_be_unserved
        )
        self._tell(state)

    def _tell(self, state: ApplicationState) -> None:
        self._say(state.application.name, state.message)
        self.report.applications[state.application.name] = state.message

    def _applicable(self, manifests: tuple[Manifest, ...]) -> list[Manifest]:
        """Without the objects whose kind this server will never know."""
        missing = [
            one
            for one in unserved(self.cluster, manifests)
            if (self.options.only_onboarding and not is_of_operator(one))
            or (self._base is not None and self._base.had_kind_of(one))
        ]
        for one in missing:
            self._leave_out(
                str(Identity.of(one)), f"this server does not serve {one['apiVersion']} {one['kind']}"
            )
            if subscribes(one):
                self._lifecycle.subscribe()
        left_out = {Identity.of(one) for one in missing}
        return [one for one in manifests if Identity.of(one) not in left_out]

    def _may_be_unserved(self, manifest: Manifest) -> bool:
        return may_wait(manifest) or (self._base is not None and self._base.had(manifest))

    def _plays_operator(self) -> bool:
        # A real cluster with a real Operator Lifecycle Manager needs nobody to play it.
        return not (self.options.only_onboarding and self.cluster.resource(*SUBSCRIPTION))

    def _need_namespaces(self, names: Iterable[str]) -> None:
        for name in sorted(set(names) - {""}):
            manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            if self.cluster.get(Identity.of(manifest)) is None:
                self._apply(manifest)

    def _apply(self, manifest: Manifest) -> None:
        if self.options.only_onboarding:
            CarefulApply(
                self.cluster, self.ledger, lambda identity, why: self._leave_out(str(identity), why)
            )(manifest)
        else:
            self.cluster.apply(manifest, force=True)

    def _leave_out(self, what: str, why: str) -> None:
        if what not in self.report.left_out:
            self.report.left_out[what] = why
            self._log(f"left out: {what}: {why}" if what not in why else f"left out: {why}")

    def _say(self, subject: str, message: str) -> None:
        """Log a line if it is news."""
        if self._said.get(subject, "") != message:
            self._said[subject] = message
            self._log(f"{subject}: {message or 'fine again'}")
