"""What our change makes of the builds: whether all still build, and hold our objects as we mean them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from runbook import manifests
from runbook.application_names import ApplicationNames
from runbook.changes import shown
from runbook.checks import Check, Status
from runbook.documents import field, mapping_of
from runbook.gitops.applications import deploy_folder
from runbook.gitops.built import Built, key_of, keys_of_base
from runbook.gitops.review_rights import may_review, of_operator, roles_of_reviewer
from runbook.gitops.tree import Manifest, name_of
from runbook.layout import Layout
from runbook.manifests import StoreSettings
from runbook.names import AUTH_DELEGATOR
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore

_NAMED = 8
"""Objects, or differences, in one row."""
_SHOWN = 80
"""Characters of a value."""
_CHANGED = (
    "A patch, a replacement or a component changes it, or it was there before and is kept. "
    "Correct that, unless it is intended."
)
_LEAD_ELSEWHERE = (
    "Correct it in {} or its bases: a run does not rewrite a SecretStore. If it is "
    "right, correct address_for_clusters and ca_cert_for_clusters of the VaultConnection, or the parameter "
    "service_account."
)

_Verdict: TypeAlias = tuple[Status, str, str]
"""What a `Check` says of its prerequisite: status, found, remedy."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A folder before and after our change."""

    before: Built
    after: Built


@dataclass(frozen=True, slots=True)
class Builds:
    """The folders that an onboarding changes, and the operator's bundle by itself."""

    overlay: Rebuilt
    operator: Rebuilt
    applications: Rebuilt
    bundle: Built


def judge(
    builds: Builds, request: ClusterRequest, layout: Layout, settings: StoreSettings
) -> tuple[Check, ...]:
    """The rows on the builds, those of each folder first."""
    target = request.target
    overlay, applications, bundle = builds.overlay.after, builds.applications.after, builds.bundle
    objects = _unbuilt(overlay, bundle) or _objects(builds, request)
    stores = _unbuilt(overlay) or _stores(overlay, request, settings)
    application = _unbuilt(applications) or _application(applications, request, layout)
    return (
        Check(f"kustomize builds the overlay of {target}", *_buildable(builds.overlay)),
        Check(f"kustomize builds the operator's overlay of {target}", *_buildable(builds.operator)),
        Check(f"kustomize builds the Applications of {target}", *_buildable(builds.applications)),
        Check(f"Our objects in the overlay of {target}", *objects),
        Check(f"SecretStores {target.store.name} point to our Vault", *stores),
        Check(f"Reviewer {target.operator.reviewer} is built", *_reviewer(builds, request)),
        Check(f"One Application deploys {layout.operator_overlay_of(target)}", *application),
    )


def _unbuilt(*needed: Built) -> _Verdict | None:
    for built in needed:
        if built.failure or built.absent:
            return "not checked", f"{built.folder} cannot be built", ""
    return None


def application_names(
    builds: Builds, app_of_apps: Built, request: ClusterRequest, layout: Layout
) -> ApplicationNames:
    """The names as they are built; the folder in words where no build has an Application of it."""
    target, applications = request.target, builds.applications.after

    def name(built: Built, folder: str) -> str:
        called = (_called(item) for item in _deploying(built, folder))
        return next(called, f"the Application that deploys {folder}")

    return ApplicationNames(
        name(app_of_apps, layout.applications_of(target)),
        name(applications, layout.cluster_overlay_of(target)),
        name(applications, layout.operator_overlay_of(target)),
    )


def _called(item: Manifest) -> str:
    """What a set calls the Applications that it makes, only its controller knows."""
    is_set = field(item, "kind") == "ApplicationSet"
    return f"an Application of ApplicationSet {name_of(item)}" if is_set else name_of(item) or ""


def built_namespaces(overlay: Built, request: ClusterRequest) -> frozenset[str]:
    """Which of the requested namespaces an overlay declares once it is built."""
    names = {name_of(item) for item in overlay.objects("Namespace")}
    return frozenset(namespace for namespace in request.namespaces if namespace in names)


def store_namespaces(overlay: Built, request: ClusterRequest) -> frozenset[str]:
    """The namespaces for which an overlay builds a SecretStore of our name."""
    return frozenset(key_of(item).namespace for item in _our_stores(overlay, request))


def _our_stores(overlay: Built, request: ClusterRequest) -> list[Manifest]:
    store = request.conventions.store
    return [item for item in overlay.objects("SecretStore") if name_of(item) == store.name]


def _deploying(built: Built, folder: str) -> list[Manifest]:
    found = built.objects("Application", "ApplicationSet")
    return [item for item in found if deploy_folder([item], folder)]


def _buildable(folder: Rebuilt) -> _Verdict:
    before, after = folder.before, folder.after
    without = f"; built without {'; '.join(after.left_out)}" if after.left_out else ""
    if before.limited or after.limited:
        # Whether our change breaks it takes both: one that hit a limit says nothing.
        said = {"before our change": before.failure, "with our change": after.failure}
        found = "; ".join(f"{when}: {failure}" for when, failure in said.items() if failure)
        remedy = "Retry when the worker has less to do, or build it by hand before you merge."
        return "warning", f"not checked: {after.folder} {found}{without}", remedy
    if after.failure and not before.failure:
        found = f"{after.folder} does not build with our change: {after.failure}{without}"
        remedy = "Correct in the repository what it names, then retry; nothing was proposed."
        return "failed", found, remedy
    if after.failure:
        found = f"{after.folder} does not build, not even without our change: {after.failure}{without}"
        if after.left_out:
            return "not checked", found, ""
        remedy = "Correct it, unless ArgoCD's kustomize builds it: else ArgoCD never syncs our change."
        return "warning", found, remedy
    if lost := before.without(after):
        found = f"our change would alter or remove {_named(map(key_of, lost))} in {after.folder}"
        return "failed", found, "Find what in the kustomizations ties it to our objects, and remove that."
    new = after.without(before)
    adds = f"our change adds {_named(map(key_of, new))}" if new else "our change adds nothing"
    return "ok", f"{len(after.documents)} objects; {adds}{without}", ""


def _named(things: Iterable[object], separator: str = ", ") -> str:
    names = list(map(str, things))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return separator.join(names[:_NAMED]) + more


def _otherwise(there: Any, meant: Any, path: str = "") -> Iterator[str]:
    """The values of ``meant`` that ``there`` has otherwise; what it has beside them does not count."""
    if isinstance(meant, Mapping):
        for key, value in meant.items():
            yield from _otherwise(field(there, key), value, f"{path}.{key}" if path else str(key))
    elif there != meant:
        yield f"{path} is {shown(there)[:_SHOWN]}, not {shown(meant)[:_SHOWN]}"


def _objects(builds: Builds, request: ClusterRequest) -> _Verdict:
    """The operator's objects, and in each namespace the starter's ServiceAccount and the SecretStore."""
    after = builds.overlay.after
    account = request.service_account
    store = request.conventions.store.name
    of_bases = (key for namespace in request.namespaces for key in keys_of_base(namespace, account, store))
    ours = list(dict.fromkeys([*sorted(builds.bundle.keys()), *of_bases]))
    built = list(after.objects(*(key.kind for key in ours)))
    there = Counter(map(key_of, built))
    if lacking := [key for key in ours if key not in there]:
        kinds = {key.kind for key in lacking}
        new = map(key_of, after.without(builds.overlay.before))
        instead = sorted({key for key in new if key.kind in kinds}.difference(ours))
        found = f"{after.folder} does not build {_named(lacking)}"
        remedy = (
            "A kustomization above them sets namespace, namePrefix or nameSuffix, or deletes them: "
            "move that to where it does not affect them."
        )
        if instead:
            return "failed", f"{found}, but {_named(instead)}", remedy
        more = " If a ServiceAccount is missing beside an older SecretStore, add it, or set service_account."
        return "failed", found, remedy + more
    if twice := [key for key in ours if there[key] > 1]:
        found = f"{after.folder} builds more than one {_named(twice)}, in several versions"
        return "failed", found, "Keep one of each: they overwrite each other."
    meant = {key_of(item): item for item in builds.bundle.without(after)}
    differences = [
        f"{key_of(item)}: {what}"
        for item in built
        if key_of(item) in meant
        for what in _otherwise(item, meant[key_of(item)])
    ]
    if differences:
        return "warning", _named(differences, "; "), _CHANGED
    return "ok", f"in {', '.join(request.namespaces)}", ""


def _stores(overlay: Built, request: ClusterRequest, settings: StoreSettings) -> _Verdict:
    """Where the SecretStores of our name lead that the namespaces get, whoever brings them."""
    meant = VaultStore.meant(request, settings.server, settings.ca_pem, settings.namespace)
    stores = _our_stores(overlay, request)
    served = settings.served_versions
    versions = [(key_of(store), str(store.get("apiVersion")).rpartition("/")[2]) for store in stores]
    unserved = [f"{key} in {version}" for key, version in versions if version not in served]
    if served and unserved:
        found = f"the cluster serves SecretStores as {', '.join(served)} only, not {'; '.join(unserved)}"
        return "failed", found, "Write it in a served version: ArgoCD cannot apply another one."
    differences: defaultdict[str, list[str]] = defaultdict(list)
    for store in stores:
        if (namespace := key_of(store).namespace) in request.namespaces:
            for difference in VaultStore.of_spec(store.get("spec")).differences(meant, with_ca=True):
                differences[difference].append(namespace)
    if not differences:
        return "ok", f"{settings.server}, role {meant.role} at {meant.mount_path}", ""
    found = "; ".join(f"{', '.join(namespaces)}: {what}" for what, namespaces in differences.items())
    return "failed", found, _LEAD_ELSEWHERE.format(overlay.folder)


def _reviewer(builds: Builds, request: ClusterRequest) -> _Verdict:
    """Whom Vault asks the cluster as: ServiceAccount, its binding, and its token where that is a Secret."""
    built = (builds.operator.after, builds.overlay.after, builds.bundle)
    lacking: dict[str, str] = {}
    operator = request.conventions.operator
    if not of_operator(built, "ServiceAccount", operator.reviewer, operator.namespace):
        what = f"makes ServiceAccount {operator.namespace}/{operator.reviewer}"
        lacking[what] = manifests.service_account(operator.reviewer, operator.namespace)
    may = {role: may_review(role, built) for role in roles_of_reviewer(built, operator)}
    if all(grants is False for grants in may.values()):
        instead = f" (it is bound to {', '.join(may)}, which may not create tokenreviews)" if may else ""
        lacking[f"binds it to {AUTH_DELEGATOR}{instead}"] = manifests.reviewer_binding(operator)
    differences: list[str] = []
    token = f"Secret {operator.namespace}/{operator.reviewer_token}"
    if request.reviewer_token == "secret":  # noqa: S105 - a mode
        secrets = of_operator(built, "Secret", operator.reviewer_token, operator.namespace)
        meant = mapping_of(manifests.reviewer_token(operator))
        differences = [what for secret in secrets for what in _otherwise(secret, meant)]
        if not secrets:
            lacking[f"makes {token}"] = manifests.reviewer_token(operator)
    if lacking:
        found = f"nothing in the repository {' or '.join(lacking)}"
        remedy = f"Add to {builds.operator.after.folder} or its base:\n" + "---\n".join(lacking.values())
        for one in built:
            if one.failure or not all(map(_brings_secrets_only, one.left_out)):
                return "warning", f"{found}, as far as this worker can build {one.folder}", remedy
        return "failed", found, remedy
    if differences:
        return "warning", f"{token}: {'; '.join(dict.fromkeys(differences))}", _CHANGED
    if any(may.values()):
        return "ok", f"with {', '.join(role for role, grants in may.items() if grants)}", ""
    unknown = ", ".join(role for role, grants in may.items() if grants is None)
    found = f"it is bound to ClusterRole {unknown}, and nothing in the repository says what that grants"
    return "warning", found, f"Check that it may create tokenreviews, or bind {AUTH_DELEGATOR}, too."


def _brings_secrets_only(left_out: str) -> bool:
    """Whether that is a generator which decrypts Secrets: no ServiceAccount or binding is kept encrypted."""
    return left_out.endswith("(ksops) is not run here")


def _application(applications: Built, request: ClusterRequest, layout: Layout) -> _Verdict:
    """Our Application, and what it has to have in common with the one of the cluster's own resources."""
    ours = _deploying(applications, layout.operator_overlay_of(request.target))
    names = ", ".join(map(_called, ours))
    if not ours:
        found = f"{applications.folder} builds no Application of that path"
        return "failed", found, "Find what in the kustomizations changes our Application, and correct it."
    if len(ours) > 1:
        remedy = "Keep one of them: they take the objects from each other."
        return "warning", f"{names} all deploy it", remedy
    siblings = _deploying(applications, layout.cluster_overlay_of(request.target))
    destination = field(siblings[0], "spec", "destination") if siblings else None
    if ours[0].get("kind") == "Application" and isinstance(destination, Mapping):
        meant = {
            "spec": {"destination": {**destination, "namespace": request.conventions.operator.namespace}}
        }
        if differences := "; ".join(_otherwise(ours[0], meant)):
            return "warning", f"{names}: {differences}", _CHANGED
    return "ok", names, ""
