"""Objects of ours that are built under other names, or with other values than we mean."""

from __future__ import annotations

import base64

import pytest

from tests.runbook.gitops.judging import (
    ACCOUNT,
    APPLICATIONS,
    CA,
    FILES,
    KUSTOMIZATION,
    OPERATOR,
    OUR_STORE,
    OVERLAY,
    STORE,
    Outcome,
    more,
    with_members,
)

PATCH = (
    "patches:\n- patch: |\n    - op: replace\n      path: /spec/provider/vault/auth/kubernetes/mountPath\n"
    "      value: kubernetes/ember\n  target:\n    kind: SecretStore\n"
)


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        ("namespace: openshift-config\n", "openshift-config"),
        ("namePrefix: ember-\n", "ember-opf-vault-store"),
        ("nameSuffix: -ember\n", "opf-vault-store-ember"),
        (
            "patches:\n- target: {kind: ServiceAccount}\n"
            "  patch: '{$patch: delete, apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}'\n",
            "does not build ServiceAccount payments/vault-secret-fetcher",
        ),
    ],
)
def test_an_overlay_that_gives_our_objects_other_names_is_refused(setting: str, instead: str) -> None:
    resources = "resources:\n- ../../common\n"  # no two Namespaces, which get one name below `namespace`
    row = Outcome({KUSTOMIZATION: f"{setting}{resources}"}).noted[0]
    assert row.status == "failed"
    assert instead in row.found


@pytest.mark.parametrize("how", ["patches", "replacements", "components"])
def test_a_patch_that_leads_our_stores_elsewhere_is_refused(how: str) -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    changes = {
        "patches": more(PATCH),
        "replacements": more(
            "replacements:\n- source: {kind: ClusterRoleBinding, fieldPath: roleRef.name}\n  targets:\n"
            "  - select: {kind: SecretStore}\n"
            "    fieldPaths: [spec.provider.vault.auth.kubernetes.mountPath]\n"
        ),
        "components": more("components:\n- changes\n")
        | {f"{OVERLAY}/changes/kustomization.yaml": component + PATCH},
    }[how]
    outcome = Outcome(changes)
    if how == "replacements":  # the source is ambiguous once the operator's binding is there as well
        assert [row.status for row in outcome.noted] == ["failed", "not checked", "not checked"]
        return
    (row,) = outcome.noted
    assert row.status == "failed"
    assert row.found == "payments, web: mountPath is kubernetes/ember, not ember-k8s"


def patch(kind: str, name: str, fields: str) -> str:
    """A kustomization's patch of one object."""
    target = f"target: {{kind: {kind}, name: {name}}}"
    text = f"{{apiVersion: v1, kind: {kind}, metadata: {{name: any}}, {fields}}}"
    return f"patches:\n- {target}\n  patch: '{text}'\n"


def patched(folder: str, text: str) -> dict[str, str | None]:
    """A folder's kustomization with a patch that is applied after all others of it."""
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    path = f"{folder}/kustomization.yaml"
    own = FILES.get(path) or "namespace: external-secrets-operator\nresources: [../../../base]\n"
    return {
        path: f"{own}components: [changes]\n",
        f"{folder}/changes/kustomization.yaml": component + text,
    }


@pytest.mark.parametrize(
    ("folder", "of", "row", "words"),
    [
        (
            OVERLAY,
            ("Subscription", "external-secrets-operator", "spec: {channel: alpha}"),
            "Our objects in the overlay of emea/ember",
            "Subscription external-secrets-operator/external-secrets-operator: "
            "spec.channel is alpha, not stable",
        ),
        (
            OPERATOR,
            ("Secret", "eso-vault-auth-token", "type: Opaque"),
            "Reviewer eso-vault-auth is built",
            "Secret external-secrets-operator/eso-vault-auth-token: type is Opaque, not kubernetes.io/",
        ),
        (
            APPLICATIONS,
            ("Application", "external-secrets", "spec: {destination: {name: flint}}"),
            f"One Application deploys {OPERATOR}",
            "external-secrets-ember: spec.destination.name is flint, not ember",
        ),
        (
            APPLICATIONS,
            ("Application", "external-secrets", "spec: {destination: {namespace: default}}"),
            f"One Application deploys {OPERATOR}",
            "external-secrets-ember: spec.destination.namespace is default, not external-secrets-operator",
        ),
    ],
    ids=["subscription", "token", "destination", "namespace"],
)
def test_another_object_of_ours_that_is_built_otherwise_is_shown(
    folder: str, of: tuple[str, str, str], row: str, words: str
) -> None:
    (noted,) = Outcome(patched(folder, patch(*of))).noted
    assert (noted.prerequisite, noted.status) == (row, "warning")
    assert noted.found.startswith(words)


def test_a_token_of_another_account_is_shown() -> None:
    annotation = "metadata: {name: any, annotations: {kubernetes.io/service-account.name: default}}"
    text = patch("Secret", "eso-vault-auth-token", "x: y").replace("metadata: {name: any}, x: y", annotation)
    (noted,) = Outcome(patched(OPERATOR, text)).noted
    assert noted.status == "warning"
    assert "metadata.annotations.kubernetes.io/service-account.name is default, not eso-vault" in noted.found


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (STORE.server, "https://a:b@vault.evil.example", "server is https://vault.evil.example, not https"),
        ("path: k8s_secrets", "path: kv", "path is kv, not k8s_secrets"),
        ("      path:", "      namespace: team\n      path:", "namespace is team, not empty"),
        ("version: v2", "version: v1", "version is v1, not v2"),
        ("mountPath: ember-k8s", "mountPath: k8s", "mountPath is k8s, not ember-k8s"),
        ("role: emea-ops", "role: ops", "role is ops, not emea-ops"),
        ("name: vault-secret-fetcher", "name: a", "serviceAccountRef.name is a, not vault-secret-fetcher"),
        (base64.b64encode(CA.encode()).decode(), "RVZJTA==", "caBundle is EVIL, not certificate, sha256"),
        (base64.b64encode(CA.encode()).decode(), "EVIL!", "caBundle is EVIL!, not certificate, sha256"),
        ("      caBundle: ", "      other: ", "caBundle is empty, not certificate, sha256"),
    ],
)
def test_a_store_of_ours_that_leads_elsewhere_is_refused_wherever_it_is(
    before: str, after: str, words: str
) -> None:
    text = OUR_STORE.replace(before, after)
    assert text != OUR_STORE
    (row,) = Outcome({f"{OVERLAY}/web.yaml": text, KUSTOMIZATION: with_members("web.yaml")}).noted
    assert (row.prerequisite, row.status) == ("SecretStores opf-vault-store point to our Vault", "failed")
    assert row.found.startswith(f"web: {words}")
    assert row.remedy.startswith(f"Correct it in {OVERLAY} or its bases")


@pytest.mark.parametrize(
    "files",
    [
        {"web.yaml": OUR_STORE},
        {"web.yaml": OUR_STORE.replace("namespace: web", "namespace: metrics")},
        {
            "secret-mgmt/kustomization.yaml": "resources: [web]\n",
            "secret-mgmt/web/kustomization.yaml": "namespace: web\nresources: [store.yaml]\n",
            "secret-mgmt/web/store.yaml": OUR_STORE,
        },
        {
            "secret-mgmt/base/kustomization.yaml": "resources: [store.yaml, account.yaml]\n",
            "secret-mgmt/base/store.yaml": OUR_STORE.replace("  namespace: web\n", ""),
            "secret-mgmt/base/account.yaml": ACCOUNT.replace("  namespace: web\n", ""),
        },
    ],
    ids=["beside", "another namespace", "a namespace's folder", "the base"],
)
def test_a_store_of_ours_in_a_version_that_is_not_served_is_refused(files: dict[str, str]) -> None:
    texts = {f"{OVERLAY}/{name}": text.replace("/v1\n", "/v1beta1\n") for name, text in files.items()}
    members = [name for name in files if "/" not in name]
    (row,) = Outcome({**texts, KUSTOMIZATION: with_members(*members)}).noted
    assert row.status == "failed"
    assert "the cluster serves SecretStores as v1 only, not SecretStore " in row.found
    assert "/opf-vault-store in v1beta1" in row.found


def test_a_store_without_the_account_of_the_run_is_refused() -> None:
    outcome = Outcome(
        {
            f"{OVERLAY}/secret-mgmt/base/kustomization.yaml": "resources: [store.yaml]\n",
            f"{OVERLAY}/secret-mgmt/base/store.yaml": OUR_STORE.replace("  namespace: web\n", ""),
        }
    )
    (row,) = outcome.noted
    assert row.status == "failed"
    assert "does not build ServiceAccount payments/vault-secret-fetcher" in row.found
