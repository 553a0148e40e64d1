"""What an onboarding changes in the repository, and what it leaves alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest
import yaml

from runbook.enable_cluster import purpose
from runbook.errors import Conflict, PrerequisiteMissing
from runbook.gitops import EditedTree, FileEdit, FileTree, StoreSettings
from runbook.layout import Layout
from tests.runbook.gitops.conftest import Changed, EditsOf, Request
from tests.runbook.gitops.edited import APPLICATIONS, OPERATOR, OVERLAY, STORE, added_lines


def test_a_new_cluster_gets_just_these_files(edits_of: EditsOf) -> None:
    edits = edits_of()

    assert {path for path, edit in edits.items() if edit.before is None} == {
        f"{OPERATOR}/kustomization.yaml",
        f"{OPERATOR}/eso-vault-auth-token.yaml",
        f"{APPLICATIONS}/external-secrets.yaml",
        f"{OVERLAY}/secret-mgmt/kustomization.yaml",
        f"{OVERLAY}/secret-mgmt/base/kustomization.yaml",
        STORE,
        f"{OVERLAY}/secret-mgmt/base/vault-secret-fetcher.yaml",
        f"{OVERLAY}/secret-mgmt/payments/kustomization.yaml",
        f"{OVERLAY}/secret-mgmt/web/kustomization.yaml",
    }
    assert {path: added_lines(edit) for path, edit in edits.items() if edit.before is not None} == {
        f"{OVERLAY}/kustomization.yaml": [
            "  - ../../../../bundles/external-secrets-operator",
            "  - secret-mgmt",
        ],
        f"{APPLICATIONS}/kustomization.yaml": ["  - external-secrets.yaml"],
    }


@pytest.mark.parametrize("mode", ["secret", "token-request"])
@pytest.mark.parametrize("cluster", ["ember", "flint"])
def test_nothing_is_left_to_do_once_the_edits_are_in(
    repository: FileTree, edits_of: EditsOf, cluster: str, mode: str
) -> None:
    parameters = {"cluster": cluster, "namespaces": ("web", "new"), "reviewer_token": mode}
    edits = edits_of(**parameters)
    assert edits

    enabled = StoreSettings("https://elsewhere.example.com", None, ("v1",))
    assert edits_of(EditedTree(repository, edits.values()), store=enabled, **parameters) == {}


@pytest.mark.parametrize(
    ("further", "whom"),
    [(("new",), "namespace new"), (("new", "shop"), "namespaces new, shop")],
)
def test_the_pull_request_of_what_an_enabled_cluster_lacks_is_about_its_new_namespaces(
    repository: FileTree, edits_of: EditsOf, request_for: Request, further: tuple[str, ...], whom: str
) -> None:
    def title(edits: Mapping[str, FileEdit], **parameters: object) -> str:
        diffs = {path: edit.diff() for path, edit in edits.items()}
        return purpose(request_for(**parameters), diffs, Layout()).title

    first = edits_of()
    assert title(first) == "Enable Vault secrets on emea/ember"
    enabled = EditedTree(repository, first.values())
    namespaces = ("payments", "web", *further)
    then = edits_of(enabled, namespaces=namespaces)
    assert title(then, namespaces=namespaces) == f"Enable External Secrets to the {whom} of emea/ember"
    assert title({**first, **then}, namespaces=namespaces) == "Enable Vault secrets on emea/ember"


def test_the_secret_store_names_vault_its_ca_and_the_names_of_the_request(
    store: StoreSettings, edits_of: EditsOf
) -> None:
    edits = edits_of(service_account="fetcher")
    document = yaml.safe_load(edits[STORE].after)

    assert document["apiVersion"] == "external-secrets.io/v1"
    vault = document["spec"]["provider"]["vault"]
    assert base64.b64decode(vault.pop("caBundle")).decode() == store.ca_pem
    assert vault == {
        "auth": {
            "kubernetes": {
                "mountPath": "ember-k8s",
                "role": "emea-ops",
                "serviceAccountRef": {"name": "fetcher"},
            }
        },
        "path": "k8s_secrets",
        "server": store.server,
        "version": "v2",
    }
    account = yaml.safe_load(edits[f"{OVERLAY}/secret-mgmt/base/fetcher.yaml"].after)
    assert account["metadata"]["name"] == "fetcher"


@pytest.mark.parametrize(("served", "annotated"), [((), True), (("v1",), False)])
def test_the_dry_run_is_skipped_only_while_the_cluster_does_not_know_the_kind(
    served: tuple[str, ...], annotated: bool, edits_of: EditsOf
) -> None:
    edits = edits_of(store=StoreSettings("https://vault.example.com", None, served))
    metadata = yaml.safe_load(edits[STORE].after)["metadata"]

    option = {"argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true"}
    assert metadata.get("annotations") == (option if annotated else None)


def _of_operator(edits: dict[str, FileEdit]) -> dict[str, FileEdit]:
    return {path: edit for path, edit in edits.items() if path.startswith(OPERATOR)}


class TestTokenSecret:
    """Added where it is missing, never twice, never over something else."""

    def test_is_not_asked_for_with_token_requests(self, edits_of: EditsOf) -> None:
        edits = edits_of(reviewer_token="token-request")

        overlay = yaml.safe_load(edits[f"{OPERATOR}/kustomization.yaml"].after)
        assert overlay["resources"] == ["../../../base"]
        assert f"{OPERATOR}/eso-vault-auth-token.yaml" not in edits

    def test_joins_an_overlay_that_is_there(self, changed: Changed, edits_of: EditsOf) -> None:
        tree = changed({f"{OPERATOR}/kustomization.yaml": "resources:\n- ../../../base/\n"})

        edits = _of_operator(edits_of(tree))

        assert added_lines(edits.pop(f"{OPERATOR}/kustomization.yaml")) == ["- eso-vault-auth-token.yaml"]
        secret = yaml.safe_load(edits.pop(f"{OPERATOR}/eso-vault-auth-token.yaml").after)
        assert secret["type"] == "kubernetes.io/service-account-token"
        assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "eso-vault-auth"}
        assert not edits

    def test_in_the_base_is_enough(self, changed: Changed, edits_of: EditsOf) -> None:
        secret = changed({}).read(OPERATOR.replace("ember", "flint") + "/eso-vault-auth-token.yaml")
        tree = changed(
            {
                "external-secrets/base/token.yaml": secret,
                "external-secrets/base/kustomization.yaml": "resources: [serviceaccount.yaml, token.yaml]\n",
                f"{OPERATOR}/kustomization.yaml": "resources: [../../../base]\n",
            }
        )

        assert _of_operator(edits_of(tree)) == {}

    def test_file_that_is_not_listed_gets_its_line(self, changed: Changed, edits_of: EditsOf) -> None:
        secret = changed({}).read(OPERATOR.replace("ember", "flint") + "/eso-vault-auth-token.yaml")
        tree = changed(
            {
                f"{OPERATOR}/eso-vault-auth-token.yaml": secret,
                f"{OPERATOR}/kustomization.yaml": "resources:\n  - ../../../base\n",
            }
        )

        edits = _of_operator(edits_of(tree))

        assert list(edits) == [f"{OPERATOR}/kustomization.yaml"]

    @pytest.mark.parametrize(
        "wrong", ["type: Opaque", "type: kubernetes.io/service-account-token\n# of no account"]
    )
    def test_name_with_another_meaning_is_a_conflict(
        self, changed: Changed, wrong: str, edits_of: EditsOf
    ) -> None:
        secret = f"kind: Secret\nmetadata:\n  name: eso-vault-auth-token\n{wrong}\n"
        tree = changed(
            {
                f"{OPERATOR}/token.yaml": secret,
                f"{OPERATOR}/kustomization.yaml": "resources: [../../../base, token.yaml]\n",
            }
        )

        with pytest.raises(Conflict, match="is not a token Secret of eso-vault-auth"):
            edits_of(tree)


class TestWhatIsThereAlready:
    """A second object of the same name is an error of kustomize, so nothing is added twice."""

    def test_operator_that_comes_through_a_common_overlay_is_not_added(
        self, changed: Changed, edits_of: EditsOf
    ) -> None:
        common = "resources:\n  - ../../../bundles/external-secrets-operator\n"
        tree = changed({"cluster-scope/overlays/prod/common/kustomization.yaml": common})

        edits = edits_of(tree)

        assert added_lines(edits[f"{OVERLAY}/kustomization.yaml"]) == ["  - secret-mgmt"]

    def test_kustomization_files_of_the_other_names_are_found(
        self, changed: Changed, edits_of: EditsOf
    ) -> None:
        text = changed({}).read(f"{OVERLAY}/kustomization.yaml")
        tree = changed({f"{OVERLAY}/kustomization.yaml": None, f"{OVERLAY}/Kustomization": text})

        edits = edits_of(tree)

        assert f"{OVERLAY}/Kustomization" in edits
        assert f"{OVERLAY}/kustomization.yaml" not in edits


def test_a_namespace_that_looks_like_a_number_stays_a_name(edits_of: EditsOf) -> None:
    edits = edits_of(namespaces=("123", "on"))
    folder = f"{OVERLAY}/secret-mgmt"

    assert yaml.safe_load(edits[f"{folder}/kustomization.yaml"].after)["resources"] == ["123", "on"]
    assert yaml.safe_load(edits[f"{folder}/on/kustomization.yaml"].after)["namespace"] == "on"


@pytest.mark.parametrize(("env", "cluster"), [("emea", "nowhere"), ("nowhere", "ember")])
def test_an_unknown_cluster_is_refused(env: str, cluster: str, edits_of: EditsOf) -> None:
    with pytest.raises(PrerequisiteMissing, match="overlay of the cluster"):
        edits_of(env=env, cluster=cluster)


def test_another_layout_puts_everything_elsewhere(repository: FileTree, edits_of: EditsOf) -> None:
    layout = Layout(
        cluster_overlay="clusters/{env}-{cluster}",
        operator_bundle="operators/eso",
        operator_overlay="eso/{env}-{cluster}",
        operator_base="eso/base",
        applications="apps/{cluster}.{env}",
        application_group="management",
        secret_management="secrets",
    )
    sibling = repository.read(f"{APPLICATIONS}/cluster-resources.yaml")
    assert sibling is not None
    tree = FileTree(
        {
            "clusters/emea-ember/kustomization.yaml": "resources: []\n",
            "apps/ember.emea/management/kustomization.yaml": "resources:\n- cluster-resources.yaml\n",
            "apps/ember.emea/management/cluster-resources.yaml": sibling.replace(
                OVERLAY, "clusters/emea-ember"
            ),
        }
    )

    edits = edits_of(tree, layout=layout)

    assert {str(PurePosixPath(path).parent) for path in edits} == {
        "clusters/emea-ember",
        "eso/emea-ember",
        "apps/ember.emea/management",
        "clusters/emea-ember/secrets",
        "clusters/emea-ember/secrets/base",
        "clusters/emea-ember/secrets/payments",
        "clusters/emea-ember/secrets/web",
    }
    overlay = yaml.safe_load(edits["clusters/emea-ember/kustomization.yaml"].after)
    assert overlay["resources"] == ["../../operators/eso", "secrets"]
