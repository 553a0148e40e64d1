"""The texts of the files that an onboarding adds to the GitOps repository.

They are texts and not dumped documents because people review and keep them: the order of the keys, the
comments and the quoting are those of the files around them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.documents import document_of
from runbook.errors import Conflict, PrerequisiteMissing
from runbook.kustomization import scalar
from runbook.names import (
    ESO_NAMESPACE,
    REVIEWER_SERVICE_ACCOUNT,
    REVIEWER_TOKEN_SECRET,
    SECRET_STORE,
    SECRETS_MOUNT,
    Cluster,
)

APPLICATION = "external-secrets"
"""Our ArgoCD Application. A parent kustomization makes the name unique, with a `nameSuffix`."""

SIBLING_APPLICATION = "cluster-resources"
"""The Application of the cluster's own resources, beside ours; it tells how this cluster is deployed."""

SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
SKIP_DRY_RUN = "SkipDryRunOnMissingResource=true"
"""ArgoCD's dry run fails on a kind whose CRD the same sync will bring, unless the object says this."""


@dataclass(frozen=True, slots=True)
class DeployedBy:
    """How an Application reaches its cluster: what ours takes from its sibling."""

    name_suffix: str
    """What follows ``cluster-resources`` in the sibling's name; mostly nothing."""
    namespace: str | None
    destination_key: str
    """``name`` or ``server``."""
    destination: str
    project: str
    repo_url: str
    target_revision: str
    sync_policy: tuple[str, ...]
    """Lines, not indented; a policy that is commented out there is comments here as well."""


def deployed_by(text: str, path: str) -> DeployedBy:
    """Read the sibling Application ``text``.

    Raises:
        PrerequisiteMissing: it is not an Application with one source, a project and a destination.
        Conflict: its sync policy is written in a way that cannot be carried over.
    """
    try:
        application = document_of(text)
        spec, metadata = application["spec"], application["metadata"]
        source, destination = spec["source"], spec["destination"]
        key = "name" if "name" in destination else "server"
        deployed = DeployedBy(
            name_suffix=str(metadata["name"]).partition(SIBLING_APPLICATION)[2],
            namespace=metadata.get("namespace"),
            destination_key=key,
            destination=str(destination[key]),
            project=str(spec["project"]),
            repo_url=str(source["repoURL"]),
            target_revision=str(source.get("targetRevision", "HEAD")),
            sync_policy=_sync_policy(text, active="syncPolicy" in spec),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise PrerequisiteMissing(
            "Git",
            path,
            "is not an ArgoCD Application with a source, a project and a destination",
            "Correct the file: our Application takes these from it.",
        ) from error
    policy = _parsed("\n".join(deployed.sync_policy)) or {}
    if policy.get("syncPolicy") != spec.get("syncPolicy"):
        raise Conflict(
            "Git",
            path,
            "has a syncPolicy that cannot be carried over as it is written",
            "Write it in block style below `spec`, one key a line.",
        )
    return deployed


def _parsed(text: str) -> Any:
    try:
        return document_of(text)
    except yaml.YAMLError:
        return None


def _sync_policy(text: str, *, active: bool) -> tuple[str, ...]:
    lines = text.splitlines()
    start, more = (
        (r"( +)syncPolicy:", r" {%d} +\S|\s*$") if active else (r"( *)# ?syncPolicy:", r" {%d}# ?(?:  |- )")
    )
    for number, line in enumerate(lines):
        match = re.match(start, line)
        if match:
            indent = len(match.group(1))
            rest = _while(more.replace("%d", str(indent)), lines[number + 1 :])
            return tuple(item[indent:].rstrip() for item in (line, *rest) if item.strip())
    return ()


def _while(pattern: str, lines: Iterable[str]) -> list[str]:
    taken: list[str] = []
    for line in lines:
        if not re.match(pattern, line):
            break
        taken.append(line)
    return taken


def application(deployed: DeployedBy, path: str) -> str:
    """Our Application, deploying the folder ``path``."""
    lines = [
        "apiVersion: argoproj.io/v1alpha1",
        "kind: Application",
        "metadata:",
        f"  name: {scalar(APPLICATION + deployed.name_suffix)}",
        *([f"  namespace: {scalar(deployed.namespace)}"] if deployed.namespace else []),
        "spec:",
        "  destination:",
        f"    {deployed.destination_key}: {scalar(deployed.destination)}",
        f"    namespace: {ESO_NAMESPACE}",
        f"  project: {scalar(deployed.project)}",
        # Before `source`: behind it, yamllint holds a comment for misplaced.
        *(f"  {line}" for line in deployed.sync_policy),
        "  source:",
        f"    path: {scalar(path)}",
        f"    repoURL: {scalar(deployed.repo_url)}",
        f"    targetRevision: {scalar(deployed.target_revision)}",
    ]
    return _text(lines)


def kustomization(resources: Iterable[str], namespace: str | None = None) -> str:
    """A new kustomization file."""
    return _text(
        [
            "apiVersion: kustomize.config.k8s.io/v1beta1",
            "kind: Kustomization",
            *([f"namespace: {scalar(namespace)}"] if namespace else []),
            "resources:",
            *(f"  - {scalar(resource)}" for resource in resources),
        ]
    )


def secret_store(
    cluster: Cluster,
    service_account: str,
    *,
    api_version: str,
    server: str,
    ca_pem: str | None,
    skip_dry_run: bool,
) -> str:
    """The SecretStore through which a namespace of ``cluster`` reads the Vault at ``server``.

    Args:
        api_version: ``v1`` or ``v1beta1``.
        ca_pem: the certificates to trust for ``server``; None for those that the operator's image trusts.
        skip_dry_run: whether the cluster does not know the kind yet.
    """
    bundle = base64.b64encode(ca_pem.encode()).decode() if ca_pem else None
    annotations = ["  annotations:", f"    {SYNC_OPTIONS}: {SKIP_DRY_RUN}"] if skip_dry_run else []
    return _text(
        [
            f"apiVersion: external-secrets.io/{api_version}",
            "kind: SecretStore",
            "metadata:",
            *annotations,
            f"  name: {SECRET_STORE}",
            "spec:",
            "  provider:",
            "    vault:",
            "      auth:",
            "        kubernetes:",
            f"          mountPath: {scalar(cluster.mount)}",
            f"          role: {scalar(cluster.role)}",
            "          serviceAccountRef:",
            f"            name: {scalar(service_account)}",
            *([f"      caBundle: {bundle}"] if bundle else []),
            f"      path: {SECRETS_MOUNT}",
            f"      server: {scalar(server)}",
            "      version: v2",
        ]
    )


def service_account(name: str) -> str:
    """A ServiceAccount; its namespace comes from the kustomization."""
    return _text(["apiVersion: v1", "kind: ServiceAccount", "metadata:", f"  name: {scalar(name)}"])


def reviewer_token() -> str:
    """The Secret in which the cluster puts a lasting token of the reviewer's ServiceAccount."""
    return _text(
        [
            "apiVersion: v1",
            "kind: Secret",
            "metadata:",
            "  annotations:",
            f"    {SERVICE_ACCOUNT_NAME}: {REVIEWER_SERVICE_ACCOUNT}",
            f"  name: {REVIEWER_TOKEN_SECRET}",
            f"type: {SERVICE_ACCOUNT_TOKEN}",
        ]
    )


def admin_group(cluster: Cluster) -> str:
    """The OpenShift Group whose members administer the secrets of the cluster's environment."""
    return _text(
        [
            "apiVersion: user.openshift.io/v1",
            "kind: Group",
            "metadata:",
            f"  name: {cluster.admin_group}",
            "users:",
            "  - <user>",
        ]
    )


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
