"""``--check`` shows every derived name of one cluster, and what is there today under it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.openshift.account import account_manifests
from sandbox.cluster_account import ClusterAccount
from tests.kubernetes_objects import ESO, TOKEN_SECRET, Cluster
from tests.operator_by_hand import Operator, provider
from tests.rights import token_with
from tests.run import enabled
from tests.world import World

APPLICATIONS = "argocd/overlays/moc-infra/applications/envs/emea/ember"
APPLICATION = f"{APPLICATIONS}/cluster-management/external-secrets.yaml"
OVERLAY = "cluster-scope/overlays/prod/emea/ember"
OPERATOR = "external-secrets/overlays/emea/ember"
MOUNT = "auth/ember-k8s"

ALL = {
    "k8s_secrets/": "KV mount",
    "k8s_secrets/emea/ember/": "secrets of the cluster",
    "k8s_secrets/emea/": "secrets of the environment",
    "auth/oidc": "auth mount for people",
    "policy/emea-kv-r": "policy of the workloads",
    "policy/emea-kv-rw": "policy of the administrators",
    "policy/emea-ember-kv-r": "policy of this cluster's workloads",
    "group/vault-admins-emea": "administrators' group",
    "group-alias/vault-admins-emea": "its alias on the mount for people",
    MOUNT: "auth mount of the cluster",
    f"{MOUNT}/config": "its config",
    f"{MOUNT}/role/emea-ops": "its role",
    OVERLAY: "overlay of the cluster",
    "cluster-scope/bundles/external-secrets-operator": "operator's bundle",
    "external-secrets/base": "operator's base",
    OPERATOR: "operator's overlay",
    APPLICATIONS: "folder of the Applications",
    APPLICATION: "our Application",
    "argocd/overlays/moc-infra/applications/app-of-apps": "app-of-apps",
    f"{OVERLAY}/secret-mgmt": "folder of the stores",
    "enable-vault/emea/ember": "branch of the change",
    "external-secrets-operator": "operator's namespace",
    "external-secrets-operator/eso-vault-auth": "reviewer's ServiceAccount",
    "external-secrets-operator/eso-vault-auth-token": "reviewer's token Secret",
    "secretstores.external-secrets.io": "kind SecretStore",
}
"""What there is in any case, by its name."""

BEFORE = {
    "k8s_secrets/",
    "auth/oidc",
    "group/vault-admins-emea",
    OVERLAY,
    "cluster-scope/bundles/external-secrets-operator",
    "external-secrets/base",
    APPLICATIONS,
    "argocd/overlays/moc-infra/applications/app-of-apps",
}
"""What people make before the first run."""

SECRETS = {"k8s_secrets/emea/ember/", "k8s_secrets/emea/"}


def names(printed: str, cluster: str = "emea/ember") -> dict[str, tuple[str, str, str]]:
    """What it is, its state and the remark of each row, by name."""
    _, _, below = printed.partition(f"\nNames of {cluster}")
    table = below.partition("\n")[2].partition("\n\n")[0]
    rows = [[*re.split(r" {2,}", line), ""] for line in table.splitlines()]
    return {name: (what, state, remark) for _system, what, name, state, remark, *_ in rows}


def states(printed: str) -> dict[str, str]:
    return {name: state for name, (_, state, _) in names(printed).items()}


def test_before_the_first_run_all_is_absent_but_what_people_make(
    connections: dict[str, Any], check: Any
) -> None:
    _, printed = check(connections)
    found = names(printed)
    of_namespaces = {"NAMESPACE/opf-vault-store", "NAMESPACE/vault-secret-fetcher"}
    assert {name: what for name, (what, _, _) in found.items() if name not in of_namespaces} == ALL
    for name, (_, state, remark) in found.items():
        if name in SECRETS:
            folder = name.removeprefix("k8s_secrets/").rstrip("/")
            why = f"our token may not read k8s_secrets/metadata/{folder}"
            assert (state, remark) == ("not checked", why)
        elif name in of_namespaces:
            assert (state, remark) == (
                "not checked",
                "in each namespace of a run; --namespace looks into one",
            )
        else:
            assert state == ("ours" if name in BEFORE else "absent"), name


def test_the_names_are_those_of_the_description(
    connections: dict[str, Any], check: Any, world: World
) -> None:
    world.vault.request("POST", "sys/mounts/platform/kv", {"type": "kv", "options": {"version": "2"}})
    connections["conventions"] = {
        "secrets_mount": "platform/kv",
        "cluster_secrets": "{env}/clusters/{cluster}",
        "environment_secrets": None,
        "auth_mount": "kubernetes/{env}/{cluster}",
        "role": "readers",
        "policy_scope": "cluster",
        "policies": {"environment": None, "cluster": "{env}.{cluster}"},
        "administrators": None,
        "operator": {"namespace": "eso", "reviewer": "reviewer", "reviewer_token": "reviewer-token"},
        "store": {"name": "platform"},
        "reviewer_ca": "vault",
    }
    mount = "auth/kubernetes/emea/ember"
    world.vault.request("POST", f"sys/{mount}", {"type": "kubernetes"})
    config = {"kubernetes_host": world.kubernetes.url, "kubernetes_ca_cert": world.kubernetes.ca_pem}
    world.vault.request("POST", f"{mount}/config", config | {"disable_local_ca_jwt": True})
    connections["vault"]["token"] = {"file": str(world.vault.root_token_file)}
    found = names(check(connections)[1])
    in_git = {
        one
        for one in ALL
        if not one.startswith(("k8s_secrets", "auth/", "policy/", "group", ESO, "secretst"))
    }
    assert found.keys() - in_git == {
        "platform/kv/",
        "platform/kv/emea/clusters/ember/",
        "policy/emea.ember",
        mount,
        f"{mount}/config",
        f"{mount}/role/readers",
        "eso",
        "eso/reviewer",
        "eso/reviewer-token",
        "secretstores.external-secrets.io",
        "NAMESPACE/platform",
        "NAMESPACE/vault-secret-fetcher",
    }
    assert found["platform/kv/"][1:] == ("ours", "is version 2 of kv")
    assert found[f"{mount}/config"][1:] == ("ours, differs", "in kubernetes_ca_cert, token_reviewer_jwt")
    assert found[f"{mount}/role/readers"][1] == "absent"

    connections["clusters"] = {"ember.site": connections["clusters"]["ember"]}
    assert f"{mount}.site" in names(check(connections)[1], "emea/ember.site")


@pytest.mark.long
async def test_after_a_run_all_is_ours(connections: dict[str, Any], check: Any, world: World) -> None:
    await enabled(world)
    world.vault.request("POST", "k8s_secrets/data/emea/ember/billing", {"data": {"password": "hunter2"}})
    rights = 'path "k8s_secrets/metadata/emea/*" { capabilities = ["list"] }'
    policy = world.vault.request("GET", "sys/policies/acl/enablement-pipeline")["data"]["policy"]
    connections["vault"]["token"] = {"env": "WIDER_TOKEN"}
    token = token_with(world.vault, f"{policy}\n{rights}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIDER_TOKEN", token)
        code, printed = check(connections, "--namespace", "payments", "--namespace", "web")
    assert code == 0, printed
    found = states(printed)
    assert found.pop("policy/emea-ember-kv-r") == "absent", "the run was of the environment's scope"
    assert set(found.values()) == {"ours"}, printed
    for namespace in ("payments", "web"):
        assert {f"{namespace}/opf-vault-store", f"{namespace}/vault-secret-fetcher"} <= found.keys()
    assert names(printed)[f"{MOUNT}/role/emea-ops"][2] == "binds the namespaces payments, web"
    assert names(printed)["k8s_secrets/emea/ember/"][2] == "entries: 1"
    for secret in (token, "hunter2", "billing", "eyJ"):
        assert secret not in printed


def test_what_is_somebody_elses_is_said_with_the_reason(
    connections: dict[str, Any], check: Any, world: World, tmp_path: Path
) -> None:
    vault = world.vault
    other = 'path "billing/*" { capabilities = ["read"] }'
    vault.request("PUT", "sys/policies/acl/emea-kv-r", {"policy": other})
    more = 'path "k8s_secrets/data/emea/ember/*" { capabilities = ["read", "list", "delete"] }'
    vault.request("PUT", "sys/policies/acl/emea-ember-kv-r", {"policy": more})
    vault.request("POST", f"sys/{MOUNT}", {"type": "kubernetes"})
    config = {"kubernetes_host": "https://api.other.example.com:6443", "disable_local_ca_jwt": True}
    vault.request("POST", f"{MOUNT}/config", config | {"kubernetes_ca_cert": world.vault.ca_pem})
    vault.request("POST", f"{MOUNT}/role/emea-ops", world.foreign_role())
    vault.request("POST", "identity/group/name/vault-admins-emea", {"metadata": {"responsibility": "x"}})
    world.git("branch", "enable-vault", "main")
    somebody = world.clone(tmp_path)
    (somebody.folder / APPLICATION).write_text("kind: Application\nmetadata: {name: else}\n")
    folder = somebody.folder / OPERATOR
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file\n")
    somebody.commit("Have other things there")
    somebody.git("push", "--quiet", "origin", "HEAD:main")

    _, printed = check(connections)
    found = names(printed)
    theirs = {name: remark for name, (_, state, remark) in found.items() if state == "somebody else's"}
    assert theirs.keys() == {
        "policy/emea-kv-r",
        f"{MOUNT}/config",
        f"{MOUNT}/role/emea-ops",
        OPERATOR,
        APPLICATION,
        "enable-vault/emea/ember",
    }
    assert theirs["policy/emea-kv-r"].startswith("has other rules: k8s_secrets/data/emea/*")
    assert "points to the API server https://api.other.example.com:6443" in theirs[f"{MOUNT}/config"]
    assert theirs[f"{MOUNT}/role/emea-ops"].startswith("hands out the policies billing; wanted is emea-kv-r")
    assert "where a folder is needed" in theirs[OPERATOR]
    assert f"is not an Application of {OPERATOR}" in theirs[APPLICATION]
    assert "beside the branch enable-vault" in theirs["enable-vault/emea/ember"]
    assert found[MOUNT][1:] == ("ours", "of type kubernetes; whose cluster it leads to, its config tells")
    assert found["policy/emea-ember-kv-r"][1:] == (
        "ours",
        "grants more than the runbook's rules; kept as it is",
    )

    vault.request("DELETE", f"sys/{MOUNT}")
    vault.request("POST", f"sys/{MOUNT}", {"type": "approle"})
    vault.request("DELETE", "sys/mounts/k8s_secrets")
    vault.request("POST", "sys/mounts/k8s_secrets", {"type": "transit"})
    found = names(check(connections)[1])
    assert found[MOUNT][1:] == ("somebody else's", "is an auth method of type 'approle'")
    assert found[f"{MOUNT}/config"][1:] == ("not checked", f"{MOUNT}/ is of another type")
    assert found["k8s_secrets/"][1:] == ("somebody else's", "is of type transit")
    assert found["k8s_secrets/emea/"][1:] == ("not checked", "k8s_secrets/ is of type transit")


def test_what_is_ours_in_part_says_what_differs(
    connections: dict[str, Any], check: Any, world: World, tmp_path: Path
) -> None:
    vault = world.vault
    group = {"metadata": {"responsibility": "Vault emea Admin"}, "policies": []}
    vault.request("POST", "identity/group/name/vault-admins-emea", group)
    vault.request("POST", f"sys/{MOUNT}", {"type": "kubernetes"})
    config = {"kubernetes_host": world.kubernetes.url, "kubernetes_ca_cert": vault.ca_pem}
    vault.request("POST", f"{MOUNT}/config", config | {"disable_local_ca_jwt": True})
    role = {
        "bound_service_account_names": ["vault-secret-fetcher"],
        "bound_service_account_namespaces": ["payments"],
        "alias_name_source": "serviceaccount_uid",
        "token_policies": ["emea-ember-kv-r"],
        "token_ttl": "2h",
    }
    vault.request("POST", f"{MOUNT}/role/emea-ops", role)
    vault.request("DELETE", "sys/mounts/k8s_secrets")
    vault.request("POST", "sys/mounts/k8s_secrets", {"type": "kv", "options": {"version": "1"}})
    somebody = world.clone(tmp_path)
    ours = f"kind: Application\nspec:\n  source:\n    path: {OPERATOR}\n"
    (somebody.folder / APPLICATION).write_text(ours)
    somebody.commit("Have the Application without its line")
    somebody.git("push", "--quiet", "origin", "HEAD:main")
    cluster = Cluster(world.kubernetes)
    cluster.send("POST", "/api/v1/namespaces", {"metadata": {"name": ESO}})
    cluster.send("POST", f"/api/v1/namespaces/{ESO}/secrets", TOKEN_SECRET | {"type": "Opaque"})
    for namespace, mount in (("payments", "ember-k8s"), ("web", "flint-k8s")):
        operator = Operator(cluster, provider(vault.address, "", "vault-secret-fetcher", mountPath=mount))
        operator.install(replicas=None)
        operator.bring_store(namespace, None)
    cluster.close()

    found = names(check(connections, "--namespace", "payments", "--namespace", "web")[1])
    differs = {name: remark for name, (_, state, remark) in found.items() if state == "ours, differs"}
    assert differs.pop("payments/opf-vault-store").startswith("caBundle is empty, not certificate")
    assert differs == {
        "k8s_secrets/": "is version 1 of kv",
        "group/vault-admins-emea": "in policies",
        f"{MOUNT}/config": "in kubernetes_ca_cert, token_reviewer_jwt",
        f"{MOUNT}/role/emea-ops": "in bound_service_account_namespaces, token_ttl",
        APPLICATION: f"a run changes {APPLICATION.rpartition('/')[0]}/kustomization.yaml",
    }
    web, secret = found["web/opf-vault-store"], found[f"{ESO}/eso-vault-auth-token"]
    assert web[1] == secret[1] == "somebody else's"
    assert web[2].startswith("mountPath is flint-k8s, not ember-k8s")
    assert "is of type Opaque" in secret[2]


def test_what_our_rights_do_not_reach_is_not_checked(
    connections: dict[str, Any], check: Any, world: World, tmp_path: Path
) -> None:
    rights = 'path "auth/token/lookup-self" { capabilities = ["read"] }'
    (tmp_path / "vault-token").write_text(token_with(world.vault, rights))
    manifests = yaml.safe_dump_all(account_manifests(["payments"], read_only=True))
    account = ClusterAccount(Path(world.kubernetes.admin_kubeconfig), manifests)
    account.create()
    _, printed = check(connections, "--namespace", "web")
    found = names(printed)
    in_vault = [one for one in found if one.split("/")[0] in {"k8s_secrets", "auth", "policy", "group"}]
    assert {found[one][1] for one in in_vault} == {"not checked"}
    assert found["auth/oidc"][2] == "our token may not read sys/auth"
    assert found["policy/emea-kv-r"][2] == "our token may not read sys/policies/acl/emea-kv-r"
    token = found["external-secrets-operator/eso-vault-auth-token"]
    assert token[1:] == (
        "not checked",
        "our account may not read Secret external-secrets-operator/eso-vault-auth-token",
    )
    assert found[APPLICATION][1] == "absent", "another system is asked all the same"

    del connections["gitops"]
    assert names(check(connections)[1])[APPLICATION][1:] == (
        "not checked",
        "the file has no such connection",
    )
    code, refused = check(connections, "--namespace", "pay*")
    assert (code, refused.count("\n")) == (1, 0)
    assert "--namespace='pay*': is not a name" in refused
