"""What an onboarding changes in the repository, and what it leaves alone."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import pytest
import yaml

from runbook.errors import Conflict, InvalidInput, PrerequisiteMissing
from runbook.gitops import EditedTree, FileEdit, FileTree, StoreSettings, store_api_version, wanted_edits
from runbook.layout import Layout
from runbook.request import EnableRequest

Request = Callable[..., EnableRequest]
Changed = Callable[[Mapping[str, str | None]], FileTree]

OVERLAY = "cluster-scope/overlays/prod/emea/ember"
OPERATOR = "external-secrets/overlays/emea/ember"
APPLICATIONS = "argocd/overlays/moc-infra/applications/envs/emea/ember/cluster-management"
STORE = f"{OVERLAY}/secret-mgmt/base/opf-vault-store.yaml"


def _by_path(edits: tuple[FileEdit, ...]) -> dict[str, FileEdit]:
    return {edit.path: edit for edit in edits}


def _added_lines(edit: FileEdit) -> list[str]:
    lines = edit.diff().splitlines()[3:]
    assert not [line for line in lines if line.startswith("-")]
    return [line[1:] for line in lines if line.startswith("+")]


def test_a_new_cluster_gets_just_these_files(
    repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings
) -> None:
    edits = _by_path(wanted_edits(repository, request_for(), layout, store))

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
    assert {path: _added_lines(edit) for path, edit in edits.items() if edit.before is not None} == {
        f"{OVERLAY}/kustomization.yaml": [
            "  - ../../../../bundles/external-secrets-operator",
            "  - secret-mgmt",
        ],
        f"{APPLICATIONS}/kustomization.yaml": ["  - external-secrets.yaml"],
    }


@pytest.mark.parametrize("mode", ["secret", "token-request"])
@pytest.mark.parametrize("cluster", ["ember", "flint"])
def test_nothing_is_left_to_do_once_the_edits_are_in(
    repository: FileTree,
    request_for: Request,
    layout: Layout,
    store: StoreSettings,
    cluster: str,
    mode: str,
) -> None:
    request = request_for(cluster=cluster, namespaces=("web", "new"), reviewer_token=mode)
    edits = wanted_edits(repository, request, layout, store)
    assert edits

    enabled = StoreSettings("https://elsewhere.example.com", None, ("v1",))
    assert wanted_edits(EditedTree(repository, edits), request, layout, enabled) == ()


def test_the_secret_store_names_vault_its_ca_and_the_names_of_the_request(
    repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings
) -> None:
    request = request_for(service_account="fetcher")
    edits = _by_path(wanted_edits(repository, request, layout, store))
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
    repository: FileTree, request_for: Request, layout: Layout, served: tuple[str, ...], annotated: bool
) -> None:
    store = StoreSettings("https://vault.example.com", None, served)
    edits = _by_path(wanted_edits(repository, request_for(), layout, store))
    metadata = yaml.safe_load(edits[STORE].after)["metadata"]

    option = {"argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true"}
    assert metadata.get("annotations") == (option if annotated else None)


class TestVersionOfTheSecretStore:
    """The request, else the repository's other clusters, else what the cluster serves, else v1."""

    def test_is_the_requests_own(self, repository: FileTree, request_for: Request, layout: Layout) -> None:
        store = StoreSettings("https://vault", None, ("v1",))
        request = request_for(secret_store_api="v1beta1")

        assert store_api_version(repository, request, layout, store) == "v1beta1"

    def test_is_that_of_most_other_clusters(
        self, changed: Changed, request_for: Request, layout: Layout
    ) -> None:
        beta = (
            "apiVersion: external-secrets.io/v1beta1\nkind: SecretStore\nmetadata:\n  name: opf-vault-store\n"
        )
        overlays = "cluster-scope/overlays/prod"
        tree = changed(
            {
                f"{overlays}/emea/flint/secret-mgmt/base/opf-vault-store.yaml": beta,
                f"{overlays}/moc/smaug/secret-mgmt/base/opf-vault-store.yaml": beta,
            }
        )

        store = StoreSettings("https://vault", None, ("v1",))
        assert store_api_version(tree, request_for(), layout, store) == "v1beta1"

    def test_is_not_asked_of_the_cluster_itself(
        self, changed: Changed, request_for: Request, layout: Layout
    ) -> None:
        own = "apiVersion: external-secrets.io/v1alpha1\nkind: SecretStore\n"
        base = f"{OVERLAY}/secret-mgmt/base"
        tree = changed(
            {f"{base}/kustomization.yaml": "resources: [a.yaml, b.yaml, c.yaml]\n"}
            | {f"{base}/{name}.yaml": own for name in "abc"}
        )

        store = StoreSettings("https://vault", None, ())
        assert store_api_version(tree, request_for(), layout, store) == "v1"

    @pytest.mark.parametrize(
        ("served", "expected"),
        [(("v1beta1", "v1"), "v1"), (("v1beta1",), "v1beta1"), ((), "v1")],
    )
    def test_is_what_the_cluster_serves_where_there_is_no_other(
        self, request_for: Request, layout: Layout, served: tuple[str, ...], expected: str
    ) -> None:
        store = StoreSettings("https://vault", None, served)

        assert store_api_version(FileTree({}), request_for(), layout, store) == expected


class TestApplication:
    """Our Application is deployed the way its sibling is."""

    def test_takes_destination_project_source_and_a_policy_that_is_commented_out(
        self, repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        text = _by_path(wanted_edits(repository, request_for(), layout, store))[
            f"{APPLICATIONS}/external-secrets.yaml"
        ].after

        assert yaml.safe_load(text) == {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "external-secrets"},
            "spec": {
                "destination": {"name": "ember", "namespace": "external-secrets-operator"},
                "project": "cluster-management",
                "source": {
                    "path": OPERATOR,
                    "repoURL": "https://git.example.com/platform/gitops.git",
                    "targetRevision": "HEAD",
                },
            },
        }
        sibling = repository.read(f"{APPLICATIONS}/cluster-resources.yaml")
        assert sibling is not None
        comments = [line for line in sibling.splitlines() if "#" in line]
        assert [line for line in text.splitlines() if "#" in line] == comments != []

    def test_takes_what_is_not_the_default(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        sibling = """\
kind: Application
metadata:
    name: cluster-resources-ember
    namespace: gitops
spec:
    destination:
        server: https://api.ember.example.com:6443
        namespace: x
    project: "123"
    source:
        path: cluster-scope/overlays/prod/emea/ember
        repoURL: https://git.example.com/other.git
        targetRevision: release-2
    syncPolicy:
        automated:
            prune: true

        syncOptions:
        - Validate=false
    revisionHistoryLimit: 3
"""
        tree = changed({f"{APPLICATIONS}/cluster-resources.yaml": sibling})

        text = _by_path(wanted_edits(tree, request_for(), layout, store))[
            f"{APPLICATIONS}/external-secrets.yaml"
        ].after

        ours = yaml.safe_load(text)
        assert ours["metadata"] == {"name": "external-secrets-ember", "namespace": "gitops"}
        assert ours["spec"] == {
            "destination": {
                "server": "https://api.ember.example.com:6443",
                "namespace": "external-secrets-operator",
            },
            "project": "123",
            "source": {
                "path": OPERATOR,
                "repoURL": "https://git.example.com/other.git",
                "targetRevision": "release-2",
            },
            "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["Validate=false"]},
        }

    def _with_policy(self, changed: Changed, policy: str) -> FileTree:
        path = f"{APPLICATIONS}/cluster-resources.yaml"
        sibling = changed({}).read(path)
        return changed({path: f"# syncPolicy: an older one\n{sibling}  {policy}\n"})

    def test_takes_a_policy_on_one_line(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        tree = self._with_policy(changed, "syncPolicy: {automated: {}}")

        edits = _by_path(wanted_edits(tree, request_for(), layout, store))

        ours = yaml.safe_load(edits[f"{APPLICATIONS}/external-secrets.yaml"].after)
        assert ours["spec"]["syncPolicy"] == {"automated": {}}

    def test_says_so_when_the_policy_cannot_be_carried_over(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        tree = self._with_policy(changed, "syncPolicy:\n    automated: {prune: true,\n  selfHeal: true}")

        with pytest.raises(Conflict, match="cannot be carried over"):
            wanted_edits(tree, request_for(), layout, store)

    def test_is_not_added_where_another_file_deploys_the_same_folder(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        flint = changed({}).read(APPLICATIONS.replace("ember", "flint") + "/external-secrets.yaml")
        assert flint is not None
        tree = changed(
            {
                f"{APPLICATIONS}/eso.yaml": flint.replace("emea/flint", "emea/ember/"),
                f"{APPLICATIONS}/kustomization.yaml": "resources: [cluster-resources.yaml, eso.yaml]\n",
            }
        )

        edits = wanted_edits(tree, request_for(), layout, store)

        assert not [edit.path for edit in edits if edit.path.startswith(APPLICATIONS)]

    def test_of_another_folder_in_the_way_is_a_conflict(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        tree = changed({f"{APPLICATIONS}/external-secrets.yaml": "kind: ConfigMap\n"})

        with pytest.raises(Conflict, match="is not an Application of"):
            wanted_edits(tree, request_for(), layout, store)

    def test_without_its_sibling_is_refused(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        tree = changed({f"{APPLICATIONS}/cluster-resources.yaml": None})

        with pytest.raises(PrerequisiteMissing, match=r"cluster-resources\.yaml"):
            wanted_edits(tree, request_for(), layout, store)

    def test_with_a_sibling_of_several_sources_is_refused(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        sibling = "kind: Application\nmetadata: {name: a}\nspec: {destination: {name: a}, sources: []}\n"
        tree = changed({f"{APPLICATIONS}/cluster-resources.yaml": sibling})

        with pytest.raises(PrerequisiteMissing, match="is not an ArgoCD Application with a source"):
            wanted_edits(tree, request_for(), layout, store)


class TestTokenSecret:
    """Added where it is missing, never twice, never over something else."""

    def _edits(
        self, tree: FileTree, request_for: Request, layout: Layout, store: StoreSettings
    ) -> dict[str, FileEdit]:
        edits = _by_path(wanted_edits(tree, request_for(), layout, store))
        return {path: edit for path, edit in edits.items() if path.startswith(OPERATOR)}

    def test_is_not_asked_for_with_token_requests(
        self, repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        request = request_for(reviewer_token="token-request")
        edits = _by_path(wanted_edits(repository, request, layout, store))

        overlay = yaml.safe_load(edits[f"{OPERATOR}/kustomization.yaml"].after)
        assert overlay["resources"] == ["../../../base"]
        assert f"{OPERATOR}/eso-vault-auth-token.yaml" not in edits

    def test_joins_an_overlay_that_is_there(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        tree = changed({f"{OPERATOR}/kustomization.yaml": "resources:\n- ../../../base/\n"})

        edits = self._edits(tree, request_for, layout, store)

        assert _added_lines(edits.pop(f"{OPERATOR}/kustomization.yaml")) == ["- eso-vault-auth-token.yaml"]
        secret = yaml.safe_load(edits.pop(f"{OPERATOR}/eso-vault-auth-token.yaml").after)
        assert secret["type"] == "kubernetes.io/service-account-token"
        assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "eso-vault-auth"}
        assert not edits

    def test_in_the_base_is_enough(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        secret = changed({}).read(OPERATOR.replace("ember", "flint") + "/eso-vault-auth-token.yaml")
        tree = changed(
            {
                "external-secrets/base/token.yaml": secret,
                "external-secrets/base/kustomization.yaml": "resources: [serviceaccount.yaml, token.yaml]\n",
                f"{OPERATOR}/kustomization.yaml": "resources: [../../../base]\n",
            }
        )

        assert self._edits(tree, request_for, layout, store) == {}

    def test_file_that_is_not_listed_gets_its_line(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        secret = changed({}).read(OPERATOR.replace("ember", "flint") + "/eso-vault-auth-token.yaml")
        tree = changed(
            {
                f"{OPERATOR}/eso-vault-auth-token.yaml": secret,
                f"{OPERATOR}/kustomization.yaml": "resources:\n  - ../../../base\n",
            }
        )

        edits = self._edits(tree, request_for, layout, store)

        assert list(edits) == [f"{OPERATOR}/kustomization.yaml"]

    @pytest.mark.parametrize(
        "wrong", ["type: Opaque", "type: kubernetes.io/service-account-token\n# of no account"]
    )
    def test_name_with_another_meaning_is_a_conflict(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings, wrong: str
    ) -> None:
        secret = f"kind: Secret\nmetadata:\n  name: eso-vault-auth-token\n{wrong}\n"
        tree = changed(
            {
                f"{OPERATOR}/token.yaml": secret,
                f"{OPERATOR}/kustomization.yaml": "resources: [../../../base, token.yaml]\n",
            }
        )

        with pytest.raises(Conflict, match="is not a token Secret of eso-vault-auth"):
            wanted_edits(tree, request_for(), layout, store)


class TestWhatIsThereAlready:
    """A second object of the same name is an error of kustomize, so nothing is added twice."""

    def test_operator_that_comes_through_a_common_overlay_is_not_added(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        common = "resources:\n  - ../../../bundles/external-secrets-operator\n"
        tree = changed({"cluster-scope/overlays/prod/common/kustomization.yaml": common})

        edits = _by_path(wanted_edits(tree, request_for(), layout, store))

        assert _added_lines(edits[f"{OVERLAY}/kustomization.yaml"]) == ["  - secret-mgmt"]

    def test_base_and_namespace_folders_are_kept_and_the_missing_ones_added(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        folder = f"{OVERLAY}/secret-mgmt"
        tree = changed(
            {
                f"{folder}/kustomization.yaml": "resources:\n- payments\n",
                f"{folder}/base/kustomization.yaml": "resources: []\n",
                f"{folder}/payments/kustomization.yaml": "namespace: payments\n",
            }
        )

        edits = _by_path(wanted_edits(tree, request_for(), layout, store))

        kept = {path: edit for path, edit in edits.items() if path.startswith(folder)}
        assert list(kept) == [f"{folder}/web/kustomization.yaml", f"{folder}/kustomization.yaml"]
        assert _added_lines(kept[f"{folder}/kustomization.yaml"]) == ["- web"]

    def test_kustomization_files_of_the_other_names_are_found(
        self, changed: Changed, request_for: Request, layout: Layout, store: StoreSettings
    ) -> None:
        text = changed({}).read(f"{OVERLAY}/kustomization.yaml")
        tree = changed({f"{OVERLAY}/kustomization.yaml": None, f"{OVERLAY}/Kustomization": text})

        edits = _by_path(wanted_edits(tree, request_for(), layout, store))

        assert f"{OVERLAY}/Kustomization" in edits
        assert f"{OVERLAY}/kustomization.yaml" not in edits


def test_a_namespace_that_looks_like_a_number_stays_a_name(
    repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings
) -> None:
    edits = _by_path(wanted_edits(repository, request_for(namespaces=("123", "on")), layout, store))
    folder = f"{OVERLAY}/secret-mgmt"

    assert yaml.safe_load(edits[f"{folder}/kustomization.yaml"].after)["resources"] == ["123", "on"]
    assert yaml.safe_load(edits[f"{folder}/on/kustomization.yaml"].after)["namespace"] == "on"


def test_a_namespace_named_like_the_base_folder_is_refused(
    repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings
) -> None:
    with pytest.raises(InvalidInput, match="has the name of the folder"):
        wanted_edits(repository, request_for(namespaces=("base",)), layout, store)


@pytest.mark.parametrize(("env", "cluster"), [("emea", "nowhere"), ("nowhere", "ember")])
def test_an_unknown_cluster_is_refused(
    repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings, env: str, cluster: str
) -> None:
    with pytest.raises(PrerequisiteMissing, match="overlay of the cluster"):
        wanted_edits(repository, request_for(env=env, cluster=cluster), layout, store)


def test_another_layout_puts_everything_elsewhere(
    repository: FileTree, request_for: Request, store: StoreSettings
) -> None:
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
            "apps/ember.emea/management/cluster-resources.yaml": sibling,
        }
    )

    edits = _by_path(wanted_edits(tree, request_for(), layout, store))

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
