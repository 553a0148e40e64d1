"""What is merged is what the cluster gets, in ArgoCD's order and under its rules."""

from __future__ import annotations

import yaml

from sandbox.gitops_agent.manifests import Identity
from sandbox.gitops_agent.operator_lifecycle import definitions
from sandbox.gitops_agent.sync import in_order
from sandbox.kubernetes_api import KubernetesApi
from tests.sandbox.gitops_agent.merged_repository import (
    APPLICATIONS,
    EMBER,
    AgentOf,
    Repository,
)

RBAC = "rbac.authorization.k8s.io/v1"
OPERATOR_NAMESPACE = Identity("v1", "Namespace", "", "external-secrets-operator")
REVIEWER = Identity("v1", "ServiceAccount", "external-secrets-operator", "eso-vault-auth")
REVIEWER_TOKEN = Identity("v1", "Secret", "external-secrets-operator", "eso-vault-auth-token")
BINDING = Identity(RBAC, "ClusterRoleBinding", "", "eso-tokenreview")
STARTER = Identity("v1", "ServiceAccount", "web", "vault-secret-fetcher")
SECRET_STORE = Identity("external-secrets.io/v1", "SecretStore", "web", "opf-vault-store")
PAYMENTS = Identity("v1", "Namespace", "", "payments")
CRDS = [Identity.of(definition) for definition in definitions(("v1",))]


def test_a_merged_onboarding_arrives_with_the_operator_s_crds_but_without_the_operator(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of()
    agent.round()
    assert set(agent.report.applications) == {"cluster-resources-ember"}
    assert agent.cluster.get(PAYMENTS)
    assert agent.cluster.get(Identity(RBAC, "ClusterRoleBinding", "", "fleet-reader"))
    assert agent.cluster.get(OPERATOR_NAMESPACE) is None
    repository.enable_ember()
    head = repository.land(agent)
    assert agent.report.problem == ""
    assert agent.report.head == head
    assert set(agent.report.applications) == {"cluster-resources-ember", "external-secrets-ember"}
    assert all(message.startswith("synced, ") for message in agent.report.applications.values())
    for identity in (OPERATOR_NAMESPACE, REVIEWER, REVIEWER_TOKEN, BINDING, STARTER, SECRET_STORE, *CRDS):
        assert agent.cluster.get(identity), identity
    agent.round()
    store = agent.cluster.get(SECRET_STORE)
    assert store is not None
    assert "status" not in store, "nobody but a real operator says Ready"
    assert agent.cluster.items("apps/v1", "Deployment") == []


def test_crds_wait_for_the_subscription_and_its_delay(agent_of: AgentOf, repository: Repository) -> None:
    agent = agent_of(operator_delay=3600.0)
    repository.enable_ember()
    agent.round()
    repository.land(agent, rounds=1)
    assert agent.cluster.get(OPERATOR_NAMESPACE)
    assert agent.cluster.get(CRDS[0]) is None
    assert (
        "synced but for SecretStore web/opf-vault-store"
        in agent.report.applications["cluster-resources-ember"]
    )


def test_one_unknown_kind_keeps_the_whole_application_from_being_applied(
    agent_of: AgentOf, repository: Repository, lines: list[str]
) -> None:
    agent = agent_of()
    agent.round()
    repository.enable_ember(annotated=False)
    repository.land(agent)
    assert agent.report.applications["cluster-resources-ember"] == (
        "not synced: the cluster does not serve SecretStore (external-secrets.io/v1); nothing was applied"
    )
    assert agent.cluster.get(OPERATOR_NAMESPACE) is None
    assert sum("SecretStore" in line for line in lines) == 1, "one line, however many rounds"
    repository.annotate_store()
    repository.land(agent)
    assert agent.cluster.get(SECRET_STORE)


def test_an_application_that_no_kustomization_lists_is_inert(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of()
    repository.enable_ember(listed=False)
    repository.land(agent, rounds=1)
    assert set(agent.report.applications) == {"cluster-resources-ember"}
    assert agent.cluster.get(REVIEWER) is None


def test_a_cluster_that_the_app_of_apps_does_not_reach_gets_nothing(
    agent_of: AgentOf, repository: Repository
) -> None:
    kustomization = "argocd/overlays/moc-infra/applications/app-of-apps/kustomization.yaml"
    text = (repository.path / kustomization).read_text()
    kept = [line for line in text.splitlines() if "ember" not in line]
    repository.write(kustomization, "\n".join([*kept, ""]))
    agent = agent_of()
    repository.land(agent, rounds=1)
    assert agent.report.problem == (
        f"no Application in argocd/overlays/moc-infra/applications/app-of-apps deploys {APPLICATIONS}/ember"
    )
    assert agent.report.applications == {}


def test_what_is_in_sync_is_left_alone(agent_of: AgentOf, repository: Repository, api: KubernetesApi) -> None:
    agent = agent_of()
    agent.round()
    before = len(api.requests)
    repository.write("README.md", "Another text.\n")
    repository.land(agent)
    assert {method for method, _path in api.requests[before:]} <= {"GET"}


def test_nothing_is_pruned(agent_of: AgentOf, repository: Repository) -> None:
    agent = agent_of()
    agent.round()
    repository.replace(f"{EMBER}/kustomization.yaml", "  - ../../../../base/core/namespaces/payments\n", "")
    repository.land(agent, rounds=1)
    assert agent.cluster.get(PAYMENTS)


def test_an_object_in_a_namespace_that_is_not_there_fails_and_is_tried_again(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of()
    agent.round()
    repository.enable_ember()
    kustomization = f"{EMBER}/secret-mgmt/web/kustomization.yaml"
    repository.replace(kustomization, "namespace: web", "namespace: nowhere")
    repository.land(agent, rounds=1)
    message = agent.report.applications["cluster-resources-ember"]
    assert "ServiceAccount nowhere/vault-secret-fetcher" in message
    assert 'namespaces "nowhere" not found' in message
    agent.cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nowhere"}}, force=True
    )
    for _ in range(3):
        agent.round()
    assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")


def test_objects_get_the_namespace_of_their_application_unless_they_have_one_or_none_at_all(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of()
    repository.add(
        f"{EMBER}/loose.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: loose\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: placed\n  namespace: web\n",
    )
    application = f"{APPLICATIONS}/ember/cluster-management/cluster-resources.yaml"
    lines = (repository.path / application).read_text().splitlines()
    repository.write(
        application,
        "\n".join("    namespace: payments" if line.startswith("    namespace:") else line for line in lines),
    )
    repository.land(agent, rounds=1)
    assert agent.cluster.get(Identity("v1", "ConfigMap", "payments", "loose"))
    assert agent.cluster.get(Identity("v1", "ConfigMap", "web", "placed"))
    assert agent.cluster.get(Identity(RBAC, "ClusterRoleBinding", "", "fleet-reader"))


def test_what_others_depend_on_is_applied_first() -> None:
    def manifest(api_version: str, kind: str) -> dict[str, object]:
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}

    expected = [
        manifest("v1", "Namespace"),
        manifest("v1", "ServiceAccount"),
        manifest("v1", "Secret"),
        manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        manifest(RBAC, "ClusterRoleBinding"),
        manifest("batch/v1", "CronJob"),
        manifest("external-secrets.io/v1", "SecretStore"),
        manifest("operators.coreos.com/v1alpha1", "Subscription"),
    ]
    assert in_order(expected[::-1]) == expected


def test_a_kind_whose_crd_comes_with_the_same_application_passes_the_dry_run(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of()
    agent.round()
    definition = definitions(("v1",))[0]
    definition["metadata"]["name"] = "widgets.example.com"
    definition["spec"]["group"] = "example.com"
    definition["spec"]["names"] = {"kind": "Widget", "plural": "widgets"}
    widget = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": "web"},
    }
    repository.add(f"{EMBER}/widget.yaml", yaml.safe_dump_all([widget, definition]))
    repository.land(agent)
    assert agent.cluster.get(Identity("example.com/v1", "Widget", "web", "one"))


def test_a_cluster_that_was_onboarded_before_we_came_has_its_operator(agent_of: AgentOf) -> None:
    agent = agent_of(cluster="flint")
    agent.round()
    agent.round()
    assert all(message.startswith("synced, ") for message in agent.report.applications.values())
    assert agent.cluster.get(SECRET_STORE)


def test_kinds_that_only_the_older_part_of_the_branch_needs_are_left_out_by_name(
    agent_of: AgentOf, repository: Repository
) -> None:
    tekton = "apiVersion: operator.tekton.dev/v1alpha1\nkind: TektonConfig\nmetadata:\n  name: {}\n"
    repository.add(f"{EMBER}/tekton.yaml", tekton.format("config"))
    agent = agent_of()
    repository.land(agent, rounds=1)
    assert agent.report.left_out == {
        "TektonConfig config": "this server does not serve operator.tekton.dev/v1alpha1 TektonConfig"
    }
    assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")


def test_objects_of_the_operator_that_are_older_than_us_do_not_keep_the_rest_away(
    agent_of: AgentOf, repository: Repository
) -> None:
    repository.add(
        f"{EMBER}/pull-secret.yaml",
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\n"
        "metadata:\n  name: pull-secret\n  namespace: web\n",
    )
    agent = agent_of()
    repository.land(agent, rounds=1)
    assert agent.report.applications["cluster-resources-ember"] == (
        "synced but for ExternalSecret web/pull-secret: the kind is not served yet"
    )
    assert agent.cluster.get(PAYMENTS)


def test_namespaces_of_openshift_are_there_whether_a_repository_uses_them_or_not(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of()
    agent.round()
    repository.enable_ember()
    repository.replace(
        f"{EMBER}/secret-mgmt/web/kustomization.yaml", "namespace: web", "namespace: openshift-monitoring"
    )
    repository.land(agent, rounds=1)
    assert agent.cluster.get(Identity("v1", "ServiceAccount", "openshift-monitoring", "vault-secret-fetcher"))


def test_applications_of_other_projects_and_repositories_are_left_out(
    agent_of: AgentOf, repository: Repository
) -> None:
    folder = f"{APPLICATIONS}/ember/cluster-management"
    own = (repository.path / folder / "cluster-resources.yaml").read_text()
    project = next(line for line in own.splitlines() if line.startswith("  project:"))
    url = next(line for line in own.splitlines() if "repoURL:" in line)
    for name, line in (("workload", project), ("elsewhere", url)):
        text = own.replace(line, line.split(":", maxsplit=1)[0] + ": https://git.example.com/other")
        repository.add(f"{folder}/{name}.yaml", text.replace("name: cluster-resources", f"name: {name}"))
    agent = agent_of()
    repository.land(agent, rounds=1)
    assert set(agent.report.applications) == {"cluster-resources-ember"}
    assert {"Application elsewhere-ember", "Application workload-ember"} <= set(agent.report.left_out)
