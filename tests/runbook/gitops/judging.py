"""A repository with some files otherwise, our change to it, and what the builds say of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from runbook import enable_cluster, enable_namespace, manifests
from runbook.checks import Check
from runbook.enable_namespace import NamespaceRequest
from runbook.gitops import (
    Builds,
    EditedTree,
    FileTree,
    Rebuilt,
    StoreSettings,
    application_names,
    build_named,
    judge,
)
from runbook.layout import Layout
from runbook.request import ClusterRequest, EnableRequest
from systems.kustomize import Kustomize

REPOSITORY = Path(__file__).parents[3] / "sandbox" / "repository"
FILES = {str(path.relative_to(REPOSITORY)): path.read_text() for path in REPOSITORY.rglob("*.yaml")}
LAYOUT = Layout()

REQUEST = EnableRequest(env="emea", cluster="ember", namespaces=("payments", "web"))

OVERLAY = LAYOUT.cluster_overlay_of(REQUEST.target)

OPERATOR = LAYOUT.reviewer_folder_of(REQUEST.target)

APPLICATIONS = LAYOUT.applications_of(REQUEST.target)

BASE = "cluster-scope/base"
CA = "-----BEGIN CERTIFICATE-----\nMAUw\n-----END CERTIFICATE-----\n"
STORE = StoreSettings("https://vault.example.com:8200", CA, ("v1",))

KUSTOMIZATION = f"{OVERLAY}/kustomization.yaml"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: vault-secret-fetcher\n  namespace: web\n"
OUR_STORE = manifests.secret_store(REQUEST.target, REQUEST.service_account, "v1", STORE).replace(
    "  name: opf-vault-store\n", "  name: opf-vault-store\n  namespace: web\n", 1
)

NAMESPACE_OF_WEB = FILES[f"{BASE}/core/namespaces/web/namespace.yaml"]
SUBSCRIPTION = f"{BASE}/operators.coreos.com/subscriptions/external-secrets-operator/subscription.yaml"


def in_list(text: str) -> str:
    """A manifest as the item of a list."""
    return yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(text)]})


class Outcome:
    """The change in a repository with some files otherwise, and what its builds say."""

    def __init__(
        self, changes: Mapping[str, str | None], layout: Layout = LAYOUT, asked: ClusterRequest = REQUEST
    ) -> None:
        runbook = enable_namespace if isinstance(asked, NamespaceRequest) else enable_cluster
        files = {**FILES, **changes}
        tree = FileTree({path: text for path, text in files.items() if text is not None})
        target = asked.target
        overlay, operator = layout.cluster_overlay_of(target), layout.operator_overlay_of(target)
        folders = (overlay, operator, layout.applications_of(target))
        with Kustomize() as builder:
            *before, bundle = build_named(builder.build, tree, *folders, layout.operator_bundle)
            edits = runbook.edits(tree, asked, layout, STORE, builder.build)
            self.edits = {edit.path: edit for edit in edits}
            after = EditedTree(tree, self.edits.values())
            *built, app_of_apps = build_named(builder.build, after, *folders, layout.app_of_apps_of(target))
            self.second = runbook.edits(after, asked, layout, STORE, builder.build)
        self.overlay, of_operator, applications = map(Rebuilt, before, built)
        self.builds = Builds(self.overlay, of_operator, applications, bundle)
        self.rows = judge(self.builds, asked, layout, STORE)
        self.names = application_names(self.builds, app_of_apps, asked, layout)

    @property
    def noted(self) -> list[Check]:
        """The rows that are not ok."""
        return [row for row in self.rows if row.status != "ok"]


def more(text: str, path: str = KUSTOMIZATION) -> dict[str, str | None]:
    """A file of the repository with more text at its end."""
    return {path: FILES[path] + text}


def with_members(*members: str) -> str:
    """The overlay's kustomization with more resources."""
    head, _, rest = FILES[KUSTOMIZATION].partition("resources:\n")
    indent = rest[: rest.index("-")]
    return f"{head}resources:\n{''.join(f'{indent}- {member}{chr(10)}' for member in members)}{rest}"
