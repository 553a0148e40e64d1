"""Where the stores lead that the overlay of a cluster builds, and whom they serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from runbook import manifests
from runbook.documents import field
from runbook.gitops.builds import Verdict
from runbook.gitops.built import Built, Key, key_of
from runbook.gitops.tree import Manifest, name_of
from runbook.manifests import StoreSettings
from runbook.request import ClusterRequest
from runbook.store_conditions import closed_to, newly_named, unknown_to
from runbook.vault_store import VaultStore

_LEAD_ELSEWHERE = (
    "Correct it in {} or its bases: a run does not rewrite a SecretStore. If it is "
    "right, correct address_for_clusters and ca_cert_for_clusters of the VaultConnection, the parameter "
    "service_account, or the conventions."
)


def store_namespaces(overlay: Built, request: ClusterRequest) -> frozenset[str]:
    """The namespaces of the ServiceAccounts as which the stores of our name log in that an overlay builds.

    A SecretStore logs in as one of its own namespace.
    """
    stores = _our_stores(overlay, request)
    if request.conventions.store.is_cluster_wide:
        return frozenset(VaultStore.of_spec(item.get("spec")).account_namespace for item in stores)
    return frozenset(key_of(item).namespace for item in stores)


def _our_stores(overlay: Built, request: ClusterRequest) -> list[Manifest]:
    store = request.conventions.store
    return [item for item in overlay.objects(store.kind) if name_of(item) == store.name]


def judge_stores(overlay: Built, request: ClusterRequest, settings: StoreSettings) -> Verdict:
    """Where the stores of our name lead that the namespaces get, whoever brings them."""
    meant = VaultStore.meant(request, settings.server, settings.ca_pem, settings.namespace)
    stores = _our_stores(overlay, request)
    served = settings.served_versions
    versions = [(key_of(store), str(store.get("apiVersion")).rpartition("/")[2]) for store in stores]
    unserved = [f"{key} in {version}" for key, version in versions if version not in served]
    if served and unserved:
        found = f"the cluster serves SecretStores as {', '.join(served)} only, not {'; '.join(unserved)}"
        return "failed", found, "Write it in a served version: ArgoCD cannot apply another one."
    differences: defaultdict[str, list[str]] = defaultdict(list)
    not_checked: list[str] = []
    for store in stores:
        if (namespace := key_of(store).namespace) in request.store_namespaces:
            there = VaultStore.of_spec(
                store.get("spec"), _owners(overlay, namespace or meant.account_namespace)
            )
            not_checked.append(there.not_checked)
            for difference in there.differences(meant, with_ca=True):
                differences[difference].append(namespace or meant.name)
    if differences:
        found = "; ".join(f"{', '.join(namespaces)}: {what}" for what, namespaces in differences.items())
        return "failed", found, _LEAD_ELSEWHERE.format(overlay.folder)
    found = f"{settings.server}, role {meant.role} at {meant.mount_path}"
    if not request.conventions.store.is_cluster_wide:
        return "ok", f"{found}{''.join(dict.fromkeys(not_checked))}", ""
    return _opened(stores, request, found)


def _opened(stores: list[Manifest], request: ClusterRequest, found: str) -> Verdict:
    """Whether the conditions of the ClusterSecretStore let the namespaces use it."""
    names = request.namespaces
    for store in stores:
        if closed := closed_to(store.get("spec"), names):
            remedy = "Add them to its conditions, or find what takes them out of these again."
            return "failed", f"its conditions do not let {', '.join(closed)} use it", remedy
        if unknown := unknown_to(store.get("spec"), names):
            said = f"{found}; whether its conditions let {', '.join(unknown)} use it by label was not checked"
            return "warning", said, "Check the labels of these namespaces, or name them in its conditions."
    return "ok", f"{found}; open to {', '.join(names)}", ""


def opened_stores(before: Built, after: Built, request: ClusterRequest) -> Iterator[Key]:
    """The ClusterSecretStores of our name that differ by the run's namespaces in their conditions alone."""
    there = {key_of(item): item for item in before.without(after) if item in _our_stores(before, request)}
    for item in after.without(before):
        known = there.get(key_of(item))
        if known is None or not request.conventions.store.is_cluster_wide:
            continue
        if set(newly_named(known, item)).intersection(request.namespaces):
            yield key_of(item)


def _owners(overlay: Built, namespace: str) -> dict[str, str]:
    """The ServiceAccounts of the token Secrets of a namespace, by the Secret's name."""
    owners = {
        name_of(one) or "": field(one, "metadata", "annotations", manifests.SERVICE_ACCOUNT_NAME)
        for one in overlay.objects("Secret")
        if key_of(one).namespace == namespace and one.get("type") == manifests.SERVICE_ACCOUNT_TOKEN
    }
    return {name: owner for name, owner in owners.items() if isinstance(owner, str)}
