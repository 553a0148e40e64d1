"""The texts of the files that an onboarding adds to the GitOps repository.

They are texts and not dumped documents because people review and keep them: the order of the keys, the
comments and the quoting are those of the files around them.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.conventions import Operator
from runbook.documents import mapping_of
from runbook.errors import PrerequisiteMissing
from runbook.kustomization import scalar
from runbook.names import AUTH_DELEGATOR, Cluster
from runbook.store import CaProvider

SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
SKIP_DRY_RUN = "SkipDryRunOnMissingResource=true"
"""ArgoCD's dry run fails on a kind whose CRD the same sync will bring, unless the object says this."""


_LOGIN = "/spec/provider/vault/auth/kubernetes"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What a SecretStore needs to know that is not in the repository."""

    server: str
    """Vault's address, as the cluster reaches it."""
    ca_pem: str | None
    """Certificates to trust for ``server``; None for those that the operator's image trusts."""
    served_versions: tuple[str, ...]
    """Versions that the cluster's SecretStore CRD serves; () while the cluster has no such CRD."""
    namespace: str | None = None
    """Vault's namespace; None for the root namespace."""


def application(
    name: str,
    sibling: Mapping[str, Any],
    source: Mapping[str, Any],
    text: str,
    path: str,
    deploys: str,
    namespace_of_operator: str,
) -> str:
    """Our Application, deploying the folder ``deploys`` as its sibling is deployed.

    Args:
        name: ours; a kustomization above it may give it a suffix.
        sibling: the Application of the cluster's own resources.
        source: the one of its sources that has them.
        text: the file that it is in, for a sync policy that is commented out.
        path: of that file.
        deploys: from the root of the repository.
        namespace_of_operator: into which it deploys.

    Raises:
        PrerequisiteMissing: the sibling has no project or destination.
    """
    try:
        spec, metadata = sibling["spec"], sibling["metadata"]
        destination = spec["destination"]
        key = "name" if "name" in destination else "server"
        namespace = metadata.get("namespace")
        return _text(
            "apiVersion: argoproj.io/v1alpha1",
            "kind: Application",
            "metadata:",
            f"  name: {scalar(name)}",
            namespace and f"  namespace: {scalar(namespace)}",
            "spec:",
            "  destination:",
            f"    {key}: {scalar(str(destination[key]))}",
            f"    namespace: {namespace_of_operator}",
            f"  project: {scalar(str(spec['project']))}",
            # Before `source`: behind it, yamllint holds a comment for misplaced.
            *(f"  {line}" for line in _sync_policy(text, spec.get("syncPolicy"))),
            "  source:",
            f"    path: {scalar(deploys)}",
            f"    repoURL: {scalar(str(source['repoURL']))}",
            f"    targetRevision: {scalar(str(source.get('targetRevision', 'HEAD')))}",
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise PrerequisiteMissing(
            "Git",
            path,
            "is not an ArgoCD Application with a source, a project and a destination",
            "Correct the file: our Application takes these from it.",
        ) from error


def _sync_policy(text: str, policy: Any) -> tuple[str, ...]:
    """The lines of ``policy`` as they are written in ``text``, or anew where that cannot be carried over."""
    lines = _lines_of_policy(text, active=policy is not None)
    if mapping_of("\n".join(lines)).get("syncPolicy") == policy:
        return lines
    return tuple(yaml.safe_dump({"syncPolicy": policy}, sort_keys=False).splitlines())


def _lines_of_policy(text: str, *, active: bool) -> tuple[str, ...]:
    start, more = (
        (r"( +)syncPolicy:", r" {%d} +\S|\s*$") if active else (r"( *)# ?syncPolicy:", r" {%d}# ?(?:  |- )")
    )
    lines = itertools.dropwhile(lambda line: not re.match(start, line), text.splitlines())
    first = next(lines, "")
    if not (match := re.match(start, first)):
        return ()
    indent = len(match.group(1))
    rest = itertools.takewhile(re.compile(more.replace("%d", str(indent))).match, lines)
    return tuple(line[indent:].rstrip() for line in (first, *rest) if line.strip())


def kustomization(resources: Iterable[str], namespace: str | None = None, key: str = "resources") -> str:
    """A new kustomization file; ``key`` is ``components`` where it builds upon these."""
    return _text(
        "apiVersion: kustomize.config.k8s.io/v1beta1",
        "kind: Kustomization",
        namespace and f"namespace: {scalar(namespace)}",
        f"{key}:",
        *(f"  - {scalar(resource)}" for resource in resources),
    )


def login_patch(cluster: Cluster, login: Mapping[str, str]) -> str:
    """The part of a kustomization that gives the fields of ``login`` to the SecretStore of a component."""
    operations = (
        ("      - op: add", f"        path: {_LOGIN}/{name}", f"        value: {scalar(value)}")
        for name, value in login.items()
    )
    return _text(
        "patches:",
        "  - patch: |-",
        *itertools.chain.from_iterable(operations),
        "    target:",
        f"      kind: {cluster.store.kind}",
        f"      name: {cluster.store.name}",
    )


def secret_store(
    cluster: Cluster,
    service_account: str,
    api_version: str,
    settings: StoreSettings,
    namespaces: Iterable[str] = (),
) -> str:
    """The store through which workloads of ``cluster`` read Vault.

    Args:
        cluster: says its kind and name.
        service_account: as which it logs in.
        api_version: ``v1`` or ``v1beta1``.
        settings: what is not in the repository.
        namespaces: to which a ClusterSecretStore is opened.
    """
    ca, owner = cluster.store.ca_provider, cluster.store_namespace
    bundle = "" if ca else base64.b64encode((settings.ca_pem or "").encode()).decode()
    return _text(
        f"apiVersion: external-secrets.io/{api_version}",
        f"kind: {cluster.store.kind}",
        "metadata:",
        None if settings.served_versions else f"  annotations:\n    {SYNC_OPTIONS}: {SKIP_DRY_RUN}",
        f"  name: {cluster.store.name}",
        "spec:",
        *(("  conditions:", "    - namespaces:") if owner else ()),
        *(f"        - {scalar(namespace)}" for namespace in sorted(namespaces) if owner),
        "  provider:",
        "    vault:",
        "      auth:",
        "        kubernetes:",
        f"          mountPath: {scalar(cluster.mount)}",
        f"          role: {scalar(cluster.role)}",
        "          serviceAccountRef:",
        f"            name: {scalar(service_account)}",
        owner and f"            namespace: {scalar(owner)}",
        bundle and f"      caBundle: {bundle}",
        *(_ca_provider(ca) if ca else ()),
        settings.namespace and f"      namespace: {scalar(settings.namespace)}",
        f"      path: {scalar(cluster.secrets_mount)}",
        f"      server: {scalar(settings.server)}",
        "      version: v2",
    )


def _ca_provider(ca: CaProvider) -> Iterator[str]:
    yield "      caProvider:"
    yield f"        key: {scalar(ca.key)}"
    yield f"        name: {scalar(ca.name)}"
    if ca.namespace:
        yield f"        namespace: {scalar(ca.namespace)}"
    yield f"        type: {ca.kind}"


def service_account(name: str, namespace: str | None = None) -> str:
    """A ServiceAccount; without ``namespace`` that of the kustomization counts."""
    lines = ("apiVersion: v1", "kind: ServiceAccount", "metadata:", f"  name: {scalar(name)}")
    return _text(*lines, namespace and f"  namespace: {scalar(namespace)}")


def reviewer_binding(operator: Operator) -> str:
    """Allows the reviewer's ServiceAccount to ask the cluster's TokenReview."""
    return _text(
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: ClusterRoleBinding",
        "metadata:",
        f"  name: {operator.reviewer}-tokenreview",
        "roleRef:",
        "  apiGroup: rbac.authorization.k8s.io",
        "  kind: ClusterRole",
        f"  name: {AUTH_DELEGATOR}",
        "subjects:",
        "  - kind: ServiceAccount",
        f"    name: {scalar(operator.reviewer)}",
        f"    namespace: {scalar(operator.namespace)}",
    )


def reviewer_token(operator: Operator) -> str:
    """The Secret in which the cluster puts a lasting token of the reviewer's ServiceAccount."""
    return _text(
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        "  annotations:",
        f"    {SERVICE_ACCOUNT_NAME}: {scalar(operator.reviewer)}",
        f"  name: {scalar(operator.reviewer_token)}",
        f"type: {SERVICE_ACCOUNT_TOKEN}",
    )


def admin_group(cluster: Cluster) -> str:
    """The OpenShift Group whose members administer the secrets of the cluster's environment."""
    return _text(
        "apiVersion: user.openshift.io/v1",
        "kind: Group",
        "metadata:",
        f"  name: {scalar(cluster.admin_alias)}",
        "users:",
        "  - <user>",
    )


def _text(*lines: str | None) -> str:
    """The lines that say something, each ended."""
    return "".join(f"{line}\n" for line in lines if line)
