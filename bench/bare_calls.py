"""Steps 5 to 10 as hvac and kubernetes calls written straight down: nothing is read first or read back.

This is the least that the same outcome can cost, and what a script of an afternoon would look like. It works
once: on a second run the group's id is missing from Vault's answer, and the auth mount is in the way.
"""

from __future__ import annotations

import base64
from pathlib import Path

import hvac
from kubernetes import client, config

from bench.scene import Scene
from runbook.objects.policy import administrators_policy, environment_policy
from runbook.request import EnableRequest

_REVIEWER = ("eso-vault-auth-token", "external-secrets-operator")


def enable(scene: Scene, request: EnableRequest) -> None:
    """Take the steps for a new cluster."""
    env, mount = request.env, f"{request.cluster}-k8s"
    token = Path(scene.vault_token_file).read_text()
    vault = hvac.Client(scene.vault_address, token=token, verify=scene.vault_ca_file)
    configuration = client.Configuration()
    config.load_kube_config(scene.kubeconfig_file, client_configuration=configuration)  # type: ignore[no-untyped-call]
    cluster = client.CoreV1Api(client.ApiClient(configuration))

    vault.sys.create_or_update_acl_policy(f"{env}-kv-r", environment_policy(request.target).text)
    vault.sys.create_or_update_acl_policy(f"{env}-kv-rw", administrators_policy(request.target).text)

    group = {
        "name": f"vault-admins-{env}",
        "type": "external",
        "policies": [f"{env}-kv-rw"],
        "metadata": {"responsibility": f"Vault {env} Admin"},
    }
    identifier = vault.write_data("identity/group", data=group)["data"]["id"]
    accessor = vault.sys.list_auth_methods()["data"]["oidc/"]["accessor"]
    alias = {"name": f"vault-admins-{env}", "mount_accessor": accessor, "canonical_id": identifier}
    vault.write_data("identity/group-alias", data=alias)

    vault.sys.enable_auth_method("kubernetes", path=mount)
    secret = cluster.read_namespaced_secret(*_REVIEWER)
    assert secret.data
    auth_config = {
        "token_reviewer_jwt": base64.b64decode(secret.data["token"]).decode(),
        "kubernetes_host": configuration.host,
        "kubernetes_ca_cert": base64.b64decode(secret.data["ca.crt"]).decode(),
        "disable_local_ca_jwt": True,
    }
    vault.write_data(f"auth/{mount}/config", data=auth_config)
    role = {
        "alias_name_source": "serviceaccount_uid",
        "bound_service_account_names": [request.service_account],
        "bound_service_account_namespaces": list(request.namespaces),
        "token_policies": [f"{env}-kv-r"],
        "token_ttl": request.token_ttl,
    }
    vault.write_data(f"auth/{mount}/role/{env}-ops", data=role)

    for namespace in request.namespaces:
        _prove(scene, cluster, request, mount, namespace)


def _prove(
    scene: Scene, cluster: client.CoreV1Api, request: EnableRequest, mount: str, namespace: str
) -> None:
    body = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
    )
    issued = cluster.create_namespaced_service_account_token(request.service_account, namespace, body)
    assert issued.status
    session = hvac.Client(scene.vault_address, verify=scene.vault_ca_file)
    login = session.auth.kubernetes.login(f"{request.env}-ops", issued.status.token, mount_point=mount)
    assert f"{request.env}-kv-r" in login["auth"]["policies"]
    assert session.read(f"k8s_secrets/data/{request.env}/{request.cluster}/probe") is None  # 404: allowed
    try:
        session.read(f"k8s_secrets/data/not-{request.env}/probe")
    except hvac.exceptions.Forbidden:
        session.auth.token.revoke_self()
    else:
        msg = "another environment's secrets can be read"
        raise AssertionError(msg)
