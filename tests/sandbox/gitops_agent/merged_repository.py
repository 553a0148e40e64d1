"""The sandbox's repository as a Git repository to which a test merges."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.fixture_repository import make_repository
from sandbox.gitops_agent import GitOpsAgent

AgentOf = Callable[..., GitOpsAgent]
"""Makes an agent; keyword arguments change its options."""

EMBER = "cluster-scope/overlays/prod/emea/ember"
FLINT = "cluster-scope/overlays/prod/emea/flint"
APPLICATIONS = "argocd/overlays/moc-infra/applications/envs/emea"
STORE = f"{EMBER}/secret-mgmt/base/opf-vault-store.yaml"


class Repository:
    """A work tree whose commits are the base branch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_repository(path)

    @property
    def url(self) -> str:
        return self.path.as_uri()

    def commit(self, message: str) -> str:
        self._git("add", "--all")
        self._git("-c", "user.name=a person", "-c", "user.email=person@example.com", "commit", "-qm", message)
        return self._git("rev-parse", "HEAD").strip()

    def write(self, file: str, text: str) -> None:
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def replace(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert old in text
        self.write(file, text.replace(old, new))

    def add(self, file: str, text: str) -> None:
        """A file that the kustomization beside it lists."""
        self.write(file, text)
        folder, _, name = file.rpartition("/")
        self.list_resource(f"{folder}/kustomization.yaml", name)

    def land(self, agent: GitOpsAgent, *, rounds: int = 3) -> str:
        """Commit what was changed, and let the agent look at it; returns the commit."""
        head = self.commit("A change")
        for _ in range(rounds):
            agent.round()
        return head

    def list_resource(self, file: str, entry: str) -> None:
        """One more line in the list of resources of a kustomization."""
        lines = (self.path / file).read_text().splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith("resources:")) + 1
        while lines[first].lstrip().startswith("#"):
            first += 1
        indent = lines[first].split("-", maxsplit=1)[0]
        self.write(file, "\n".join([*lines[:first], f"{indent}- {entry}", *lines[first:], ""]))

    def enable_ember(self, *, annotated: bool = True, listed: bool = True) -> None:
        """What the pipeline's pull request does, taken from the sibling that has it."""
        folders = (
            ("external-secrets/overlays/emea", ""),
            ("cluster-scope/overlays/prod/emea", "secret-mgmt"),
        )
        for folder, part in folders:
            source, target = (self.path / folder / cluster / part for cluster in ("flint", "ember"))
            shutil.copytree(source, target)
            for file in target.rglob("*.yaml"):
                file.write_text(file.read_text().replace("flint", "ember"))
        application = (
            self.path / APPLICATIONS / "flint/cluster-management/external-secrets.yaml"
        ).read_text()
        ours = f"{APPLICATIONS}/ember/cluster-management/external-secrets.yaml"
        (self.add if listed else self.write)(ours, application.replace("flint", "ember"))
        if annotated:
            self.annotate_store()
        self.list_resource(f"{EMBER}/kustomization.yaml", "secret-mgmt")
        self.list_resource(f"{EMBER}/kustomization.yaml", "../../../../bundles/external-secrets-operator")

    def annotate_store(self) -> None:
        """Let ArgoCD apply the store's siblings while its kind is not served."""
        annotation = "argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true"
        self.replace(STORE, "metadata:\n", f"metadata:\n  annotations:\n    {annotation}\n")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout
