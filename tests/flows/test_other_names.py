"""A whole run for an organisation whose every name is another one than the runbook's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import deployments.openshift.account
import deployments.vault.policy
from bench.traffic import Traffic
from deployments.connection_file import read_conventions
from flows.diagnose_cluster import diagnose_cluster
from flows.enable_namespace import enable_namespace
from runbook.conventions import RUNBOOK, Conventions
from runbook.layout import Layout
from runbook.names import Cluster
from sandbox.cluster_account import ClusterAccount
from sandbox.gitops_agent.operator_lifecycle import definitions
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer
from tests.flows import elsewhere
from tests.flows.elsewhere import LAYOUT, NAMES, OBJECT_ID, STARTER, default_names, described, printed
from tests.kubernetes_objects import Cluster as Objects
from tests.operator_by_hand import VALID, Operator
from tests.rights import token_with
from tests.run import Run, enable
from tests.world import World

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STORE = NAMES["store"]["name"]


@dataclass(frozen=True)
class Elsewhere:
    """What three runs, one after the other, left behind."""

    target: Cluster
    report: str
    again_wrote: list[str]
    again_report: str
    namespace_report: str
    diagnosis: str
    vault: dict[str, object]
    published: dict[str, str]


def rights(world: World, file: Path, target: Cluster) -> tuple[str, str]:
    """A token with the printed policy, once an administrator has made the group as it says; a kubeconfig."""
    accessor = world.vault.request("GET", f"sys/auth/{target.people_mount}")["data"]["accessor"]
    words = ("--connections", str(file), "--oidc-accessor", accessor)
    first = printed(deployments.vault.policy.main, *words)
    (command,) = re.findall(rf"^# +vault write (identity/group/name/{target.admin_group} .*)$", first, re.M)
    path, *given = re.split(r"\s+(?=\w+=|')", command)
    assert (path, len(given)) == (f"identity/group/name/{target.admin_group}", 3)
    metadata = {"responsibility": f"Vault {target.env} Admin"}
    group = {"type": "external", "policies": [target.write_policy], "metadata": metadata}
    world.vault.request("POST", path, group)
    group_id = world.vault.request("GET", path)["data"]["id"]
    policy = printed(deployments.vault.policy.main, *words, "--group", f"{target.env}={group_id}")
    namespaces = ("payments", "web", "--service-account", STARTER)
    objects = printed(deployments.openshift.account.main, *namespaces, "--connections", str(file))
    account = ClusterAccount(Path(world.kubernetes.admin_kubeconfig), objects)
    account.create()
    return token_with(world.vault, policy), account.kubeconfig(target.name)


def in_vault(vault: VaultServer) -> dict[str, object]:
    """Mounts, policies, groups, and what is in the auth mounts of clusters."""
    found: dict[str, object] = {}
    policies = vault.request("LIST", "sys/policies/acl")["data"]["keys"]
    for name in set(policies) - {"root", "default"}:
        text = vault.request("GET", f"sys/policies/acl/{name}")["data"]["policy"]
        # Of the pipeline's own, the head repeats options of the command that printed it.
        found[f"policy {name}"] = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for kind in ("auth", "mounts"):
        found[kind] = vault.request("GET", f"sys/{kind}")["data"]
    for name in vault.request("LIST", "identity/group/name")["data"]["keys"]:
        found[f"group {name}"] = vault.request("GET", f"identity/group/name/{name}")["data"]
    for mount in found["auth"]:  # type: ignore[attr-defined]
        if mount.startswith("kubernetes/"):
            found[f"config {mount}"] = vault.request("GET", f"auth/{mount}config")["data"]
            for role in vault.request("LIST", f"auth/{mount}role")["data"]["keys"]:
                found[f"role {mount}{role}"] = vault.request("GET", f"auth/{mount}role/{role}")["data"]
    return found


async def landed(world: World, run: Run, *namespaces: str) -> None:
    """Merge and sync; the operator finds the new stores valid; the run goes on to its end."""
    world.merge()
    world.sync()
    operator = Operator(Objects(world.kubernetes), {}, STORE)
    for namespace in namespaces:
        operator.judge(namespace, VALID)
    await run.resume()
    assert await run.go() == "Completed", run.error


async def published(world: World, *runs: Run) -> dict[str, str]:
    """All that people can read of the runs, and the tree of each branch of the repository."""
    found = {}
    for run in runs:
        for key, data in (await run.artifacts()).items():
            found[f"{run.id}: {key}"] = str(data)
        state = await run.read()
        found[f"{run.id}: log"] = await run.logs()
        found[f"{run.id}: run"] = f"{state.name} {state.tags} {state.labels} {state.state}"
    for pull in world.pulls():
        found[f"pull {pull['number']}"] = json.dumps([pull["title"], pull["body"], pull["head"]["ref"]])
        for commit in world.git("rev-list", pull["head"]["ref"]).split():
            found[f"commit {commit}"] = world.git("show", "--format=%B", commit)
    return found


@pytest.fixture(scope="module")
async def run_elsewhere(
    prefect_harness: PrefectServer, vault_server: VaultServer, tmp_path_factory: pytest.TempPathFactory
) -> Elsewhere:
    vault_server.reset()
    directory = tmp_path_factory.mktemp("elsewhere")
    file = described(directory, NAMES, "emea/ember")
    conventions = read_conventions(file)
    target = Cluster("emea", "ember", conventions)
    elsewhere.found_in_vault(vault_server, conventions)
    with World.at(directory, vault_server, elsewhere.place(directory)) as world:
        token, kubeconfig = rights(world, file, target)
        world.connect(vault__token=token, cluster__kubeconfig=kubeconfig, gitops__layout=LAYOUT)
        common = {"conventions": world.describe(conventions)}
        # The repository installs no operator that the sandbox knows; it comes by another way.
        for kind in definitions(("v1",)):
            Objects(world.kubernetes).send("POST", CRDS, kind)

        run = await enable(world, **common, namespaces=["payments"])
        assert await run.go() == "Suspended", run.error
        await landed(world, run, "payments")
        traffic = Traffic(world)
        again = await enable(world, **common, namespaces=["payments"])
        assert await again.go() == "Completed", again.error
        again_wrote = traffic.writes()

        shared = {key: value for key, value in world.parameters.items() if key != "namespaces"} | common
        more = await Run.create(enable_namespace, shared | {"namespace": "web"})
        assert await more.go() == "Suspended", more.error
        await landed(world, more, "web")

        asked = {key: shared[key] for key in ("cluster", "env", "vault", "cluster_connection", "conventions")}
        diagnosis = await Run.create(diagnose_cluster, {**asked, "namespaces": ["payments", "web"]})
        assert await diagnosis.go() == "Completed", diagnosis.error

        return Elsewhere(
            target,
            str((await run.artifacts())["report-emea-ember"]),
            again_wrote,
            str((await again.artifacts())["report-emea-ember"]),
            str((await more.artifacts())["report-namespace-emea-ember-web"]),
            str((await diagnosis.artifacts())["diagnosis-emea-ember"]),
            in_vault(vault_server),
            await published(world, run, again, more, diagnosis),
        )


def test_every_name_is_another_one() -> None:
    """So that a field that comes later is not left at its default here."""
    others = elsewhere.templates(Conventions.model_validate(NAMES))
    assert others & elsewhere.templates(RUNBOOK) == set()
    paths = {field: value for field, value in LAYOUT.items() if "/" in value and field != "vault_cluster"}
    assert set(paths.values()) & set(elsewhere.texts(Layout().model_dump())) == set()


def test_a_cluster_is_enabled_and_proved_under_other_names(run_elsewhere: Elsewhere) -> None:
    report = run_elsewhere.report
    assert report.startswith("# emea/ember reads its secrets from Vault\n")
    assert "payments/secret-reader logs in at kubernetes/emea/ember with role reader-emea" in report
    assert "vault kv put team/kv/clusters/emea/ember/example" in report
    assert "name: central-vault" in report
    assert run_elsewhere.again_wrote == []
    assert "Nothing; everything was as wanted." in run_elsewhere.again_report


def test_vault_has_what_the_description_says(run_elsewhere: Elsewhere) -> None:
    vault = run_elsewhere.vault
    role = vault["role kubernetes/emea/ember/reader-emea"]
    assert isinstance(role, dict)
    assert sorted(role["token_policies"]) == ["common", "read-emea"]
    assert role["bound_service_account_names"] == [STARTER]
    assert sorted(role["bound_service_account_namespaces"]) == ["payments", "web"]
    assert vault["policy read-emea"] == (
        'path "team/kv/data/clusters/emea/*" {\n  capabilities = ["read"]\n}\n\n'
        'path "team/kv/metadata/clusters/emea/*" {\n  capabilities = ["list"]\n}'
    )
    group = vault["group writers-of-emea"]
    assert isinstance(group, dict)
    assert (group["policies"], group["alias"]["name"]) == (["write-emea"], OBJECT_ID)
    auth = vault["auth"]
    assert isinstance(auth, dict)
    assert group["alias"]["mount_accessor"] == auth["okta/"]["accessor"]
    assert "policy common" not in vault, "it is somebody else's to write"


def test_one_more_namespace_and_the_diagnosis_know_the_names(run_elsewhere: Elsewhere) -> None:
    assert "web/secret-reader logs in at kubernetes/emea/ember" in run_elsewhere.namespace_report
    assert "`auth/kubernetes/emea/ember/role/reader-emea`: updated" in run_elsewhere.namespace_report
    assert "❌" not in run_elsewhere.diagnosis
    assert "secret-reader" in run_elsewhere.diagnosis


def test_none_of_the_runbooks_names_is_anywhere(run_elsewhere: Elsewhere) -> None:
    names = default_names(run_elsewhere.target)
    assert {"k8s_secrets", "ember-k8s", "emea-ops", "emea-kv-rw", "oidc", "opf-vault-store"} < names
    assert {"external-secrets/base", "cluster-scope/overlays/prod/emea/ember", "secret-mgmt"} < names
    # `--oidc-accessor` is an option of a command.
    whole = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-]|\.io)" for name in sorted(names)))
    places = {**run_elsewhere.published, "vault": json.dumps(run_elsewhere.vault)}
    assert {where: found for where, text in places.items() if (found := set(whole.findall(text)))} == {}
    assert len(places) > 20
