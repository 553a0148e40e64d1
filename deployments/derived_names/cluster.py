"""What is on the cluster under the names of a run."""

from __future__ import annotations

from functools import partial

from deployments.derived_names.rows import DerivedName, Finding
from runbook.request import EnableRequest
from runbook.vault_store import VaultStore
from systems.openshift import OpenShift

_EACH = "NAMESPACE"
"""Instead of a namespace where none is named."""


def names_on_cluster(request: EnableRequest, meant: VaultStore) -> list[DerivedName[OpenShift]]:
    """All objects of a run on the cluster, those in its namespaces last.

    Args:
        request: the run's parameters; where it has no namespace, those of its objects are only named.
        meant: how its store reaches Vault.
    """
    target, kind, crd = request.target, request.target.store.kind, request.target.store.crd
    operator, account = target.operator.namespace, target.operator.reviewer
    secret, store, starter = target.operator.reviewer_token, target.store.name, request.service_account
    token = partial(_token, operator, account, secret)
    names = [
        DerivedName("operator's namespace", operator, partial(_namespace, operator)),
        DerivedName(
            "reviewer's ServiceAccount", f"{operator}/{account}", partial(_account, operator, account)
        ),
        DerivedName("reviewer's token Secret", f"{operator}/{secret}", token),
        DerivedName(f"kind {kind}", crd, partial(_kind, crd)),
    ]
    each = [(_EACH, _EACH)]
    for one, owner in list(zip(request.store_namespaces, request.account_namespaces, strict=True)) or each:
        ours = partial(_store, one, store, crd, meant), partial(_account, owner, starter)
        look_at_store, look_at_starter = (_of_each, _of_each) if one == _EACH else ours
        names += [
            DerivedName(kind, f"{one}/{store}" if one else store, look_at_store),
            DerivedName("starter ServiceAccount", f"{owner}/{starter}", look_at_starter),
        ]
    return names


def _namespace(name: str, cluster: OpenShift) -> Finding:
    return Finding("ours" if cluster.namespace_exists(name) else "absent")


def _account(namespace: str, name: str, cluster: OpenShift) -> Finding:
    return Finding("ours" if cluster.service_account_uid(namespace, name) else "absent")


def _token(namespace: str, account: str, name: str, cluster: OpenShift) -> Finding:
    """Whether it is there and filled; the token itself is not looked at."""
    secret = cluster.token_secret(namespace, name)
    if secret is None:
        return Finding("absent")
    if secret.token is None:
        return Finding("ours, differs", "the cluster has not filled in a token yet")
    if secret.service_account_uid != cluster.service_account_uid(namespace, account):
        return Finding("ours, differs", f"is not a token of the ServiceAccount {account} that is there now")
    return Finding("ours")


def _kind(crd: str, cluster: OpenShift) -> Finding:
    served = cluster.served_versions(crd)
    return Finding("ours", f"served as {', '.join(served)}") if served else Finding("absent")


def _store(namespace: str, name: str, crd: str, meant: VaultStore, cluster: OpenShift) -> Finding:
    served = cluster.served_versions(crd)
    store = cluster.secret_store(namespace, name, served[0]) if served else None
    if store is None:
        return Finding("absent")
    differences = "; ".join(store.vault.differences(meant, with_ca=True))
    if store.vault.mount_path.strip("/") != meant.mount_path:
        return Finding("somebody else's", differences)
    return Finding("ours, differs", differences) if differences else Finding("ours")


def _of_each(_cluster: OpenShift) -> Finding:
    return Finding("not checked", "in each namespace of a run; --namespace looks into one")
