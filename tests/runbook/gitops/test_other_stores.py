"""A ClusterSecretStore, or the SecretStore of a component, instead of the base that a run makes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from runbook.conventions import Conventions
from runbook.enable_namespace import NamespaceRequest
from runbook.errors import Conflict, EnablementError, PrerequisiteMissing
from runbook.gitops import FileTree, meaning_of, store_namespaces, unmet
from runbook.request import ClusterRequest, EnableRequest
from tests.runbook.gitops.edited import added_lines
from tests.runbook.gitops.judging import CA, FILES, KUSTOMIZATION, OVERLAY, STORE, Outcome
from tests.runbook.gitops.judging import with_members as members

FOLDER = f"{OVERLAY}/secret-mgmt"
CLUSTER_STORE = f"{FOLDER}/team-vault.yaml"
COMPONENT = "cluster-scope/components/vault-store"
ENCODED = base64.b64encode(CA.encode()).decode()


def request(namespaces: tuple[str, ...] = ("payments", "web"), **store: Any) -> EnableRequest:
    described = Conventions.model_validate({"store": store})
    return EnableRequest(cluster="ember", env="emea", namespaces=namespaces, conventions=described)


def cluster_wide(**more: Any) -> dict[str, Any]:
    return {"kind": "ClusterSecretStore", "name": "team-vault", **more}


class Changed(Outcome):
    """What becomes of a repository with more files, and the row on its stores."""

    def __init__(self, files: Mapping[str, str], asked: ClusterRequest) -> None:
        super().__init__(files, asked=asked)
        self.files = {**files, **{path: edit.after for path, edit in self.edits.items()}}
        (self.row,) = [row for row in self.rows if row.prerequisite.endswith("point to our Vault")]

    def built(self, kind: str, name: str) -> list[dict[str, Any]]:
        return [dict(one) for one in self.overlay.after.objects(kind) if one["metadata"]["name"] == name]


def test_a_cluster_gets_one_store_and_one_account_and_no_folder_of_a_namespace() -> None:
    asked = request(("web", "payments"), **cluster_wide())
    changed = Changed({}, asked)

    assert (changed.noted, changed.second) == ([], ())
    assert changed.row.found.endswith("; open to web, payments")
    assert {path for path in changed.edits if path.startswith(FOLDER)} == {
        CLUSTER_STORE,
        f"{FOLDER}/kustomization.yaml",
        f"{FOLDER}/vault-secret-fetcher.yaml",
    }
    assert "  - secret-mgmt" in added_lines(changed.edits[KUSTOMIZATION])
    (store,) = changed.built("ClusterSecretStore", "team-vault")
    assert "namespace" not in store["metadata"]
    assert store["spec"]["conditions"] == [{"namespaces": ["payments", "web"]}]
    reference = store["spec"]["provider"]["vault"]["auth"]["kubernetes"]["serviceAccountRef"]
    assert reference == {"name": "vault-secret-fetcher", "namespace": "external-secrets-operator"}
    (account,) = changed.built("ServiceAccount", "vault-secret-fetcher")
    assert account["metadata"]["namespace"] == "external-secrets-operator"
    assert store_namespaces(changed.overlay.after, asked) == {"external-secrets-operator"}


def test_one_more_namespace_is_one_more_line_of_the_conditions() -> None:
    files = Changed({}, request(**cluster_wide())).files
    asked = NamespaceRequest.model_validate(
        {
            "cluster": "ember",
            "env": "emea",
            "namespace": "books",
            "conventions": request(**cluster_wide()).conventions,
        }
    )
    changed = Changed(files, asked)

    assert list(changed.edits) == [CLUSTER_STORE]
    assert added_lines(changed.edits[CLUSTER_STORE]) == ["        - books"]
    assert changed.second == ()
    with pytest.raises(PrerequisiteMissing, match="the cluster is not enabled"):
        Changed({}, asked)


def test_namespaces_that_are_opened_at_the_same_time_do_not_hinder_each_other() -> None:
    files = Changed({}, request(**cluster_wide())).files
    values = {"cluster": "ember", "env": "emea", "conventions": request(**cluster_wide()).conventions}
    books, films = (
        Changed(files, NamespaceRequest.model_validate({**values, "namespace": one})).edits[CLUSTER_STORE]
        for one in ("books", "films")
    )
    meaning = meaning_of([books])
    both = books.after.replace("- books\n", "- books\n        - films\n")
    assert meaning == {CLUSTER_STORE: {"opens": ["books"]}}
    assert unmet(FileTree({CLUSTER_STORE: both}), meaning) == {}
    said = {CLUSTER_STORE: "does not name books in its conditions"}
    assert unmet(FileTree({CLUSTER_STORE: films.after}), meaning) == said


def test_an_account_of_a_base_is_seen_where_the_overlay_cannot_be_built() -> None:
    base = "cluster-scope/base/login"
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: vault-secret-fetcher}\n"
    files = {
        f"{base}/kustomization.yaml": "namespace: external-secrets-operator\nresources: [account.yaml]\n",
        f"{base}/account.yaml": account,
        KUSTOMIZATION: members("../../../../base/login", "missing.yaml"),
    }
    changed = Changed(files, request(**cluster_wide()))
    assert changed.overlay.after.failure
    assert [path for path in changed.edits if path.startswith(FOLDER)] == [
        CLUSTER_STORE,
        f"{FOLDER}/kustomization.yaml",
    ]


def there(conditions: str, **changes: str) -> dict[str, str]:
    """A store of other people in the overlay of the cluster."""
    text = Changed({}, request(**cluster_wide())).files[CLUSTER_STORE]
    head, tail = text.split("  conditions:\n")[0], text[text.index("  provider:") :]
    path = f"{OVERLAY}/stores/vault.yaml"
    return {path: f"# Ours\n{head}{conditions}{tail}", KUSTOMIZATION: members("stores/vault.yaml"), **changes}


@pytest.mark.parametrize(
    ("conditions", "added"),
    [
        ("", []),
        ("  conditions:\n    - namespaceRegexes: [^pay, b$]\n", []),
        (
            "  conditions:\n    - namespaceSelector: {matchLabels: {team: a}}\n    - namespaces:\n"
            "      - zoo  # theirs\n      - abc\n",
            ["      - payments", "      - web"],
        ),
        (
            "  conditions:\n    - namespaces:\n        - abc\n        # the last\n        - zoo\n",
            ["        - payments", "        - web"],
        ),
        ("  conditions:\n    - namespaces: [payments]\n", None),
    ],
    ids=["open to all", "by expression", "unsorted", "sorted", "in brackets"],
)
def test_the_conditions_of_a_store_that_is_there_get_what_they_lack(
    conditions: str, added: list[str] | None
) -> None:
    files = there(conditions)
    changed = Changed(files, request(**cluster_wide()))

    assert (changed.noted, changed.second) == ([], ())
    edit = changed.edits.get(f"{OVERLAY}/stores/vault.yaml")
    if added is None:
        assert edit is not None
        assert "- namespaces: [payments, web]\n" in edit.after
    else:
        assert (added_lines(edit) if edit else []) == added
    # The account is nobody's yet, and comes beside it.
    assert f"{FOLDER}/vault-secret-fetcher.yaml" in changed.edits
    assert CLUSTER_STORE not in changed.edits


def test_whom_labels_let_in_is_said_not_to_be_checked() -> None:
    files = there("  conditions:\n    - namespaceSelector: {matchLabels: {team: a}}\n")
    changed = Changed(files, request(**cluster_wide()))

    assert [row.status for row in changed.noted] == ["warning"]
    assert "payments, web use it by label was not checked" in changed.row.found
    assert f"{OVERLAY}/stores/vault.yaml" not in changed.edits


@pytest.mark.parametrize(
    ("conditions", "files", "said"),
    [
        ("  conditions:\n    - namespaceRegexes: [^pay]\n", {}, "not open to web"),
        (
            "  conditions:\n    - namespaceRegexes: &all [zoo]\n      namespaces: *all\n",
            {},
            "adding 'payments'",
        ),
        ("  conditions:\n    - namespaces: [zoo]\n", {"second": "---\nkind: List\n"}, "be edited safely"),
    ],
    ids=["no list", "an alias of it", "several documents"],
)
def test_conditions_that_cannot_be_edited_safely_are_left_to_people(
    conditions: str, files: dict[str, str], said: str
) -> None:
    texts = there(conditions)
    path = f"{OVERLAY}/stores/vault.yaml"
    texts[path] += files.get("second", "")
    with pytest.raises(EnablementError, match=said) as raised:
        Changed(texts, request(**cluster_wide()))
    assert raised.value.subject == path


def test_the_store_of_several_clusters_is_not_opened_for_one() -> None:
    texts = there("  conditions:\n    - namespaces: [zoo]\n")
    shared = "cluster-scope/base/stores/vault.yaml"
    texts[shared] = texts.pop(f"{OVERLAY}/stores/vault.yaml")
    texts["cluster-scope/base/stores/kustomization.yaml"] = "resources: [vault.yaml]\n"
    texts[KUSTOMIZATION] = members("../../../../base/stores")
    with pytest.raises(Conflict, match="is not this cluster's alone, and the ClusterSecretStore") as raised:
        Changed(texts, request(**cluster_wide()))
    assert raised.value.subject == shared
    patch = "patches:\n- target: {kind: ClusterSecretStore}\n  patch: |-\n    - op: add\n"
    value = "      path: /spec/conditions/-\n      value: {namespaces: [payments, web]}\n"
    texts[KUSTOMIZATION] += patch + value
    assert Changed(texts, request(**cluster_wide())).noted == []


def test_a_store_of_another_account_is_refused() -> None:
    texts = there("", **{})
    path = f"{OVERLAY}/stores/vault.yaml"
    texts[path] = texts[path].replace("namespace: external-secrets-operator", "namespace: elsewhere")
    changed = Changed(texts, request(**cluster_wide()))
    said = "team-vault: serviceAccountRef.namespace is elsewhere, not external-secrets-operator"
    assert (changed.row.status, changed.row.found) == ("failed", said)


def component(
    login: str = "serviceAccountRef: {name: vault-secret-fetcher}", kind: str = "Component"
) -> dict[str, str]:
    """A component whose store has no mount yet, an account and a token Secret of it."""
    vault = f"server: {STORE.server}\n      path: k8s_secrets\n      version: v2\n      caBundle: {ENCODED}"
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    return {
        f"{COMPONENT}/kustomization.yaml": f"apiVersion: kustomize.config.k8s.io/{version}\nkind: {kind}\n"
        "resources: [store.yaml, account.yaml, token.yaml]\n",
        f"{COMPONENT}/store.yaml": "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata:\n"
        f"  name: opf-vault-store\nspec:\n  provider:\n    vault:\n      {vault}\n      auth:\n"
        "        kubernetes:\n          mountPath: UPDATE IN OVERLAY\n          role: emea-ops\n"
        f"          {login}\n",
        f"{COMPONENT}/account.yaml": "apiVersion: v1\nkind: ServiceAccount\n"
        "metadata: {name: vault-secret-fetcher}\n",
        f"{COMPONENT}/token.yaml": "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\n"
        "metadata:\n  name: token\n  annotations:\n"
        "    kubernetes.io/service-account.name: vault-secret-fetcher\n",
    }


@pytest.mark.parametrize(("kind", "key"), [("Component", "components"), ("Kustomization", "resources")])
def test_a_namespace_builds_upon_the_component_and_says_where_its_store_logs_in(kind: str, key: str) -> None:
    changed = Changed(component(kind=kind), request(component=COMPONENT))

    assert (changed.noted, changed.second) == ([], ())
    new = {path for path in changed.edits if path.startswith(FOLDER)}
    assert new == {f"{FOLDER}/{one}kustomization.yaml" for one in ("", "payments/", "web/")}
    folder = yaml.safe_load(changed.edits[f"{FOLDER}/web/kustomization.yaml"].after)
    assert (folder["namespace"], folder[key]) == ("web", [f"../../../../../../{COMPONENT.partition('/')[2]}"])
    (patch,) = folder["patches"]
    login = "/spec/provider/vault/auth/kubernetes"
    # The component's role is ours already.
    assert yaml.safe_load(patch["patch"]) == [
        {"op": "add", "path": f"{login}/mountPath", "value": "ember-k8s"}
    ]
    for store in changed.built("SecretStore", "opf-vault-store"):
        login = store["spec"]["provider"]["vault"]["auth"]["kubernetes"]
        assert (login["mountPath"], login["role"]) == ("ember-k8s", "emea-ops")


def test_a_store_that_the_overlay_leads_to_our_mount_needs_no_patch_of_its_own() -> None:
    patch = "patches:\n- target: {kind: SecretStore}\n  patch: |-\n    - op: replace\n"
    value = "      path: /spec/provider/vault/auth/kubernetes/mountPath\n      value: ember-k8s\n"
    files = component() | {KUSTOMIZATION: FILES[KUSTOMIZATION] + patch + value}
    changed = Changed(files, request(component=COMPONENT))

    assert (changed.noted, changed.second) == ([], ())
    assert "patches" not in changed.edits[f"{FOLDER}/web/kustomization.yaml"].after


@pytest.mark.parametrize(
    ("secret", "status", "said"),
    [
        ("token", "ok", "role emea-ops at ember-k8s"),
        ("elsewhere", "ok", "ember-k8s; whose token Secret elsewhere has was not checked"),
    ],
)
def test_the_account_of_a_token_secret_counts_where_the_secret_tells_it(
    secret: str, status: str, said: str
) -> None:
    files = component(f"secretRef: {{name: {secret}, key: token}}")
    row = Changed(files, request(component=COMPONENT)).row
    assert (row.status, row.found[-len(said) :]) == (status, said)


def test_a_token_secret_of_another_account_is_a_difference() -> None:
    files = component("secretRef: {name: token, key: token}")
    files[f"{COMPONENT}/token.yaml"] = files[f"{COMPONENT}/token.yaml"].replace("vault-secret-fetcher", "x")
    row = Changed(files, request(component=COMPONENT)).row
    assert row.found == "payments, web: the account of Secret token is x, not vault-secret-fetcher"


def test_a_component_that_is_not_there_is_said() -> None:
    with pytest.raises(PrerequisiteMissing, match="is no component or base that builds the SecretStore"):
        Changed({}, request(component=COMPONENT))


def test_a_folder_of_other_people_does_not_get_the_component() -> None:
    files = component() | {f"{FOLDER}/web/kustomization.yaml": "namespace: web\nresources: []\n"}
    with pytest.raises(Conflict, match=f"does not build upon {COMPONENT}"):
        Changed(files, request(component=COMPONENT))


@pytest.mark.parametrize("store", [{}, cluster_wide(namespace="vault-login")], ids=["each", "one"])
def test_the_ca_comes_from_an_object_of_the_cluster(store: dict[str, Any]) -> None:
    ca = {"kind": "ConfigMap", "name": "ca.crt", "key": "ca"} | (
        {"namespace": "vault-login"} if store else {}
    )
    changed = Changed({}, request(**store, ca_provider=ca))

    assert changed.noted == []
    written = next(text for path, text in changed.files.items() if "-vault" in path and "SecretStore" in text)
    vault = yaml.safe_load(written)["spec"]["provider"]["vault"]
    assert vault["caProvider"] == {"type": ca["kind"]} | {name: ca[name] for name in ca if name != "kind"}
    assert "caBundle" not in vault
