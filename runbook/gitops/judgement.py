"""What our change makes of the builds: whether all still build, and hold our objects as we mean them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from runbook import manifests
from runbook.checks import Check
from runbook.documents import mapping_of
from runbook.gitops.builds import CHANGED, Builds, Rebuilt, Verdict, otherwise
from runbook.gitops.built import Built, key_of, keys_of_request
from runbook.gitops.built_applications import judge_application
from runbook.gitops.review_rights import may_review, of_operator, roles_of_reviewer
from runbook.gitops.stores import judge_stores, opened_stores
from runbook.gitops.tree import name_of
from runbook.layout import Layout
from runbook.manifests import StoreSettings
from runbook.names import AUTH_DELEGATOR, Cluster
from runbook.request import ClusterRequest

_NAMED = 8
"""Objects, or differences, in one row."""


def judge(
    builds: Builds, request: ClusterRequest, layout: Layout, settings: StoreSettings
) -> tuple[Check, ...]:
    """The rows on the builds, those of each folder first."""
    target = request.target
    overlay, bundle, with_bundle = builds.overlay.after, builds.bundle, _with_bundle(builds, layout)
    objects = _unbuilt(with_bundle.after, bundle) or _objects(with_bundle, bundle, request)
    stores = _unbuilt(overlay) or judge_stores(overlay, request, settings)
    elsewhere = _elsewhere(layout, target)
    application = (
        elsewhere or _unbuilt(builds.applications.after) or judge_application(builds, request, layout)
    )
    applications = elsewhere or _buildable(builds.applications, request)
    operator = _buildable(builds.operator, request)
    if layout.operator_overlay is None:
        operator = "not checked", "the layout names none: its objects come with the cluster's overlay", ""
    return (
        Check(f"kustomize builds the overlay of {target}", *_buildable(builds.overlay, request)),
        Check(f"kustomize builds the operator's overlay of {target}", *operator),
        Check(f"kustomize builds the Applications of {target}", *applications),
        Check(f"Our objects in the overlay of {target}", *objects),
        Check(f"{target.store.kind}s {target.store.name} point to our Vault", *stores),
        Check(f"Reviewer {target.operator.reviewer} is built", *_reviewer(builds, request, layout)),
        Check(f"One Application deploys {layout.reviewer_folder_of(target)}", *application),
    )


def _with_bundle(builds: Builds, layout: Layout) -> Rebuilt:
    """The folder with the operator's objects, the cluster's overlay; or that and the operator's."""
    one, other = builds.overlay, builds.operator
    if layout.bundle_listed_in == "cluster_overlay":
        return one
    return Rebuilt(one.before.and_(other.before), one.after.and_(other.after))


def _elsewhere(layout: Layout, cluster: Cluster) -> Verdict | None:
    """Why there is no folder of Applications to build."""
    if path := layout.application_set_of(cluster):
        return "not checked", f"the ApplicationSet of {path} makes them", ""
    if layout.applications_of(cluster) is None:
        return "not checked", "the layout names no folder of them: they are in another repository", ""
    return None


def _unbuilt(*needed: Built) -> Verdict | None:
    for built in needed:
        if built.failure or built.absent:
            return "not checked", f"{built.folder} cannot be built", ""
    return None


def built_namespaces(overlay: Built, request: ClusterRequest) -> frozenset[str]:
    """Which of the namespaces that a run needs an overlay declares once it is built."""
    names = {name_of(item) for item in overlay.objects("Namespace")}
    return frozenset(namespace for namespace in request.needed_namespaces if namespace in names)


def _buildable(folder: Rebuilt, request: ClusterRequest) -> Verdict:
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
    opened = list(opened_stores(before, after, request))
    if lost := [item for item in before.without(after) if key_of(item) not in opened]:
        found = f"our change would alter or remove {_named(map(key_of, lost))} in {after.folder}"
        return "failed", found, "Find what in the kustomizations ties it to our objects, and remove that."
    new = [key for key in map(key_of, after.without(before)) if key not in opened]
    adds = f"our change adds {_named(new)}" if new else "our change adds nothing"
    opens = f", and opens {_named(opened)} to {_named(request.namespaces)}" if opened else ""
    return "ok", f"{len(after.documents)} objects; {adds}{opens}{without}", ""


def _named(things: Iterable[object], separator: str = ", ") -> str:
    names = list(map(str, things))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return separator.join(names[:_NAMED]) + more


def _objects(folder: Rebuilt, bundle: Built, request: ClusterRequest) -> Verdict:
    """The operator's objects, and in each namespace the starter's ServiceAccount and the SecretStore."""
    after = folder.after
    ours = list(dict.fromkeys([*sorted(bundle.keys()), *keys_of_request(request)]))
    built = list(after.objects(*(key.kind for key in ours)))
    there = Counter(map(key_of, built))
    if lacking := [key for key in ours if key not in there]:
        kinds = {key.kind for key in lacking}
        new = map(key_of, after.without(folder.before))
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
    meant = {key_of(item): item for item in bundle.without(after)}
    differences = [
        f"{key_of(item)}: {what}"
        for item in built
        if key_of(item) in meant
        for what in otherwise(item, meant[key_of(item)])
    ]
    if differences:
        return "warning", _named(differences, "; "), CHANGED
    return "ok", f"in {', '.join(request.account_namespaces)}", ""


def _reviewer(builds: Builds, request: ClusterRequest, layout: Layout) -> Verdict:
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
        differences = [what for secret in secrets for what in otherwise(secret, meant)]
        if not secrets:
            lacking[f"makes {token}"] = manifests.reviewer_token(operator)
    if lacking:
        found = f"nothing in the repository {' or '.join(lacking)}"
        remedy = f"Add to {layout.reviewer_folder_of(request.target)} or its base:\n"
        remedy += "---\n".join(lacking.values())
        for one in built:
            if one.failure or not all(map(_brings_secrets_only, one.left_out)):
                return "warning", f"{found}, as far as this worker can build {one.folder}", remedy
        return "failed", found, remedy
    if differences:
        return "warning", f"{token}: {'; '.join(dict.fromkeys(differences))}", CHANGED
    if any(may.values()):
        return "ok", f"with {', '.join(role for role, grants in may.items() if grants)}", ""
    unknown = ", ".join(role for role, grants in may.items() if grants is None)
    found = f"it is bound to ClusterRole {unknown}, and nothing in the repository says what that grants"
    return "warning", found, f"Check that it may create tokenreviews, or bind {AUTH_DELEGATOR}, too."


def _brings_secrets_only(left_out: str) -> bool:
    """Whether that is a generator which decrypts Secrets: no ServiceAccount or binding is kept encrypted."""
    return left_out.endswith("(ksops) is not run here")
