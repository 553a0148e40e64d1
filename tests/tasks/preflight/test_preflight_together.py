"""What preflight says when several systems are not as they have to be at once."""

from __future__ import annotations

from runbook.errors import PrerequisiteMissing, TransientError
from tasks.preflight import openshift, repository, vault
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import (
    NOBODY_LISTENS,
    Installation,
    failed,
    kubeconfig_with,
    row,
    the_error,
)


def test_every_prerequisite_of_the_runbook_has_its_row(installation: Installation) -> None:
    found = installation.look(make())
    assert failed(found) == []
    assert found.error() is None
    assert [one.prerequisite for one in found.rows] == [
        "Vault is reachable",
        "Vault is unsealed",
        "Vault accepts our token",
        "Our token's capabilities",
        "k8s_secrets/ is KV version 2",
        "auth/oidc/ is there",
        "Policies are free or as wanted",
        "Group vault-admins-emea is free or ours",
        "Alias vault-admins-emea is free or ours",
        "auth/ember-k8s/ is free or of type kubernetes",
        "auth/ember-k8s/config is free or ours",
        "auth/ember-k8s/role/emea-ops is free or ours",
        "Our token may write these values",
        "No other mount has this API server",
        "Git and Vault have the same namespaces",
        "The kubeconfig can be used",
        "The cluster's API is reachable",
        "The cluster accepts our credentials",
        "The API certificate is right for Vault",
        "Certificate of the router",
        "Our rights on the cluster",
        "Our optional rights on the cluster",
        "The connection is ember",
        "API versions of SecretStore",
        "Namespace payments is there or declared",
        "Namespace web is there or declared",
        "We may propose a change",
        "Our GitHub token lives long enough",
        "Branch rules let our commit in",
        "The repository can be read",
        "The branch of the change can be created",
        "Overlay of emea/ember",
        "Operator's bundle",
        "Operator's base",
        "ArgoCD Applications of emea/ember",
        "Application of the cluster's resources",
        "ArgoCD builds cluster-management",
        "App-of-apps of emea/ember",
        "Group vault-admins-emea on moc/smaug",
        "The change can be worked out",
        "kustomize builds the overlay of emea/ember",
        "kustomize builds the operator's overlay of emea/ember",
        "kustomize builds the Applications of emea/ember",
        "Our objects in the overlay of emea/ember",
        "SecretStores opf-vault-store point to our Vault",
        "Reviewer eso-vault-auth is built",
        "One Application deploys external-secrets/overlays/emea/ember",
    ]
    # The stand-in's tokens have no end that GitHub could tell.
    assert [one.prerequisite for one in found.rows if one.status not in {"ok", "warning"}] == [
        repository.TOKEN_END
    ]
    assert {one.system for one in found.rows} == {"Vault", "OpenShift", "GitHub", "Git"}
    assert found.changes
    assert found.edits


def test_whatever_fails_in_one_system_the_others_are_asked(installation: Installation) -> None:
    installation.vault.request("DELETE", "sys/auth/oidc")
    installation.vault.request("POST", "sys/auth/ember-k8s", {"type": "userpass"})
    connections = installation.connections(
        cluster__kubeconfig=kubeconfig_with(installation.kubeconfig, token="sha256~of-another-cluster"),
        gitops__token=installation.github.token_of("read-only"),
    )
    request = make(namespaces=("payments", "paymnets"))
    found = installation.look(request, connections)
    assert failed(found) == [
        vault.PEOPLE.format("oidc"),
        "auth/ember-k8s/ is free or of type kubernetes",
        openshift.CREDENTIALS,
        repository.PROPOSE,
    ]
    error = the_error(found)
    assert isinstance(error, PrerequisiteMissing)
    assert str(error).startswith(
        "Vault, auth/oidc/: is not enabled. Ask Vault's operators to set up the login of people"
    )
    first, *others = found.errors
    assert first.remedy in error.remedy
    assert all(f"{one.system}, {one.subject}: {one.answer}" in error.remedy for one in others)


def test_systems_that_do_not_answer_are_worth_another_try_only_if_nothing_else_is_wrong(
    installation: Installation,
) -> None:
    silent = installation.connections(
        vault__address=NOBODY_LISTENS,
        cluster__kubeconfig=kubeconfig_with(installation.kubeconfig, server=NOBODY_LISTENS),
    )
    found = installation.look(make(), silent)
    assert failed(found) == [vault.REACHABLE, openshift.REACHABLE, openshift.CERTIFICATE]
    assert isinstance(the_error(found), TransientError)
    assert row(found, "Overlay of emea/ember").status == "ok"
    error = the_error(installation.look(make(cluster="embre"), silent))
    assert isinstance(error, PrerequisiteMissing)
    assert not isinstance(error, TransientError)
    assert NOBODY_LISTENS in str(error)
    assert "no cluster 'embre'" in str(error)


def test_a_mistake_in_the_clusters_name_is_the_only_cause(installation: Installation) -> None:
    found = installation.look(make(cluster="embr"))
    assert failed(found) == ["Overlay of emea/embr"]
    assert str(the_error(found)).startswith(
        "Git, Overlay of emea/embr: no cluster 'embr' in 'emea'; its clusters:"
    )
    waiting = [one.prerequisite for one in found.rows if "once the repository has this cluster" in one.found]
    assert waiting == [
        vault.CAPABILITIES,
        "The connection is embr",
        "ArgoCD Applications of emea/embr",
    ]


def test_without_connections_nothing_is_asked_and_no_row_is_missing(installation: Installation) -> None:
    found = installation.ask()
    assert {one.status for one in found.rows} == {"not checked"}
    assert len(found.rows) > 20
