"""What the manifests mean together: nothing has more than it needs, and each reference leads somewhere."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.connection_file import read_connections
from sandbox.environment import CHECKOUT
from tests.deployments.kubernetes.conftest import Objects
from tests.deployments.kubernetes.rendered import FOLDER, job_of
from tests.systems.openshift.scripted_api import kubeconfig

COMPONENT = "app.kubernetes.io/component"


class Site:
    """What an installation applies, with the Job that the worker makes of a run."""

    def __init__(self, objects: Objects, run: dict[str, Any]) -> None:
        self.objects = [*objects, run]

    def of(self, *kinds: str) -> Objects:
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (one for one in self.of(kind) if one["metadata"].get("name") == name)
        return found

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pod templates, by component; both setup Jobs under their own names."""
        templates = [(one["metadata"], one["spec"]["template"]) for one in self.of("Deployment", "Job")]
        return {metadata.get("name", "run"): template for metadata, template in templates}

    def containers(self) -> Iterator[dict[str, Any]]:
        for template in self.pods().values():
            assert "initContainers" not in template["spec"]
            yield from template["spec"]["containers"]


@pytest.fixture(params=["site", "site on kubernetes"])
async def site(request: pytest.FixtureRequest, build: Callable[[str], Objects]) -> Site:
    return Site(build(request.param), await job_of())


def test_every_pod_is_restricted(site: Site) -> None:
    assert {*site.pods()} == {"merge-service", "worker", "deploy", "connect", "run"}
    for name, template in site.pods().items():
        pod = template["spec"]
        # No user: OpenShift gives each namespace its own.
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & {*pod}
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
        assert {"name": "tmp", "mountPath": "/tmp"} in pod["containers"][0]["volumeMounts"]
    for container in site.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_the_worker_alone_has_a_token_of_the_cluster_and_runs_one_for_vault(site: Site) -> None:
    with_token = [name for name, pod in site.pods().items() if pod["spec"]["automountServiceAccountToken"]]
    assert with_token == ["worker"]
    tokens = [
        (name, volume["name"], source["serviceAccountToken"]["audience"])
        for name, pod in site.pods().items()
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    assert tokens == [("run", "vault-token", "vault")]
    (subject,) = site.one("RoleBinding", "worker")["subjects"]
    assert subject["name"] == site.pods()["worker"]["spec"]["serviceAccountName"]
    assert not site.of("ClusterRole", "ClusterRoleBinding")
    for name in ("worker", "runs"):
        assert site.one("ServiceAccount", name)


def test_worker_runs_and_setup_are_of_one_image(site: Site) -> None:
    run = site.pods()["run"]["spec"]["containers"]
    images = {container["image"] for container in site.containers() if container not in run}
    (image,) = images
    assert "@sha256:" in image
    (deploy,) = site.pods()["deploy"]["spec"]["containers"]
    assert {"name": "ENABLEMENT_IMAGE", "value": image} in deploy["env"]


def test_only_the_webhook_is_seen_outside(site: Site) -> None:
    seen = [one["spec"]["path"] for one in site.of("Route")]
    for ingress in site.of("Ingress"):
        (rule,) = ingress["spec"]["rules"]
        seen += [(path["path"], path["pathType"]) for path in rule["http"]["paths"]]
        assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    for route in site.of("Route"):
        assert route["spec"]["tls"]["termination"] == "edge"
    assert seen in (["/webhook"], [("/webhook", "Exact")])
    assert {one["spec"].get("type", "ClusterIP") for one in site.of("Service")} == {"ClusterIP"}


def test_each_selector_and_port_leads_to_a_pod(site: Site) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in site.pods().items()}
    for deployment in site.of("Deployment"):
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert [name for name, has in labels.items() if selector.items() <= has.items()] == [
            deployment["metadata"]["name"]
        ]
    service = site.one("Service", "merge-service")["spec"]
    (pod,) = (pod for name, pod in site.pods().items() if service["selector"].items() <= labels[name].items())
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    assert [one["targetPort"] for one in service["ports"]] == [port["name"]]
    names = {one["name"] for one in service["ports"]}
    for route in site.of("Route"):
        assert route["spec"]["port"]["targetPort"] in names
        assert route["spec"]["to"]["name"] == "merge-service"
    for ingress in site.of("Ingress"):
        (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
        assert path["backend"]["service"] == {"name": "merge-service", "port": {"name": port["name"]}}
    for monitor in site.of("ServiceMonitor"):
        labels_of_service = site.one("Service", "merge-service")["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels_of_service.items()
        assert {one["port"] for one in monitor["spec"]["endpoints"]} <= names
    for policy in site.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        assert any(selects(selector, has) for has in labels.values()), policy["metadata"]["name"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector means a pod with these labels."""
    expressions = selector.get("matchExpressions", [])
    assert {one["operator"] for one in expressions} <= {"In"}
    named = selector.get("matchLabels", {}).items() <= labels.items()
    return named and all(labels.get(one["key"]) in one["values"] for one in expressions)


def test_a_pod_reaches_what_it_needs_and_only_the_merge_service_is_reached(site: Site) -> None:
    assert site.one("NetworkPolicy", "nothing-by-default")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    policies = [one["spec"] for one in site.of("NetworkPolicy")]
    reached, reaches = [], {}
    for name, pod in site.pods().items():
        mine = [one for one in policies if selects(one["podSelector"], pod["metadata"]["labels"])]
        reached += [name for one in mine if one.get("ingress")]
        reaches[name] = {
            port["port"] for one in mine for rule in one.get("egress", []) for port in rule["ports"]
        } - {53, 5353, 4200}
        assert any(rule.get("to") for one in mine for rule in one.get("egress", [])), "Prefect's namespace"
    assert {*reached} == {"merge-service"}
    assert reaches == {
        "run": {443, 6443, 8200},
        "merge-service": {443, 6443},
        "worker": {443, 6443},
        "deploy": set(),
        "connect": set(),
    }


def used_secrets(site: Site) -> set[tuple[str, str]]:
    """Each Secret and key that a pod reads."""
    found = set()
    for container in site.containers():
        for variable in container["env"]:
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                found.add((reference["name"], reference["key"]))
    (merge,) = site.pods()["merge-service"]["spec"]["containers"]
    given = {one["name"]: one.get("value") for one in merge["env"]}
    file = Path(given["MERGE_SERVICE_WEBHOOK_SECRET_FILE"])
    (mount,) = (one for one in merge["volumeMounts"] if one["mountPath"] == str(file.parent))
    found.add((mount["name"], file.name))
    text = site.one("ConfigMap", "connections")["data"]["connections.yaml"]
    return found | {("connections", name) for name in files_of(yaml.safe_load(text))}


def files_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key == "file" else files_of(inner)


def test_each_secret_is_made_by_an_external_secret_and_each_key_is_used(site: Site) -> None:
    assert not site.of("Secret")
    made = {
        (one["metadata"]["name"], key["secretKey"])
        for one in site.of("ExternalSecret")
        for key in one["spec"]["data"]
    }
    assert made == used_secrets(site)
    (worker,) = site.pods()["worker"]["spec"]["containers"]
    given = {one["name"].rpartition("_API_")[2]: one.get("value") for one in worker["env"]}
    assert (given["AUTH_STRING_SECRET_NAME"], given["AUTH_STRING_SECRET_KEY"]) in made


def test_each_config_map_is_there(site: Site) -> None:
    names = {one["metadata"]["name"] for one in site.of("ConfigMap")}
    for pod in site.pods().values():
        (container,) = pod["spec"]["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": "settings"}}]
        for volume in pod["spec"]["volumes"]:
            sources = volume.get("projected", {}).get("sources", [volume])
            for one in sources:
                if given := one.get("configMap"):
                    assert given.get("optional") or given["name"] in names


def test_the_connections_are_read_as_the_pod_has_them(site: Site, tmp_path: Path) -> None:
    data = site.one("ConfigMap", "connections")["data"]
    (tmp_path / "connections.yaml").write_text(data["connections.yaml"])
    (tmp_path / "github-token").write_text("t")
    (tmp_path / "ember.kubeconfig").write_text(json.dumps(kubeconfig("https://api.example.com:6443", None)))
    vault, *_ = (one.block for one in read_connections(tmp_path / "connections.yaml"))
    (container,) = site.pods()["run"]["spec"]["containers"]
    folder = Path(vault.kubernetes_token_path).parent  # type: ignore[attr-defined]
    assert [one["name"] for one in container["volumeMounts"] if one["mountPath"] == str(folder)] == [
        "vault-token"
    ]


async def test_a_run_brings_neither_image_nor_command_nor_variables() -> None:
    ours = await job_of()
    theirs = await job_of(
        image="evil", command="evil", env={"EVIL": "1"}, labels={COMPONENT: "evil"}, namespace="evil",
        service_account_name="evil", name="evil", job_manifest={"evil": 1},
    )  # fmt: skip
    assert "evil" not in json.dumps(theirs)
    assert "EVIL" not in json.dumps(theirs)
    assert ours["spec"]["template"]["spec"]["containers"][0]["image"] in json.dumps(theirs)


async def test_a_pod_that_is_told_to_go_has_its_run_start_again() -> None:
    job = (await job_of())["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert {"name": "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR", "value": "reschedule"} in container["env"]
    assert {"name": "PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "value": "30"} in container["env"]
    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_the_server_is_of_the_version_that_is_locked_and_finds_its_secrets(
    build: Callable[[str], Objects],
) -> None:
    values = yaml.safe_load((FOLDER / "server" / "values.yaml").read_text())
    locked = importlib.metadata.version("prefect")
    assert values["global"]["prefect"]["image"]["prefectTag"].startswith(f"{locked}-")
    assert yaml.safe_load((CHECKOUT / "prefect.yaml").read_text())["prefect-version"] == locked
    (external,) = (one for one in build("server") if one["kind"] == "ExternalSecret")
    keys = {one["secretKey"] for one in external["spec"]["data"]}
    # What the chart calls them where the values do not say it: auth-string, redis-password, docket-url.
    assert keys == {"auth-string", "redis-password", "docket-url", "encryption-key", "connection-string"}
    assert values["externalDatabase"]["connectionStringSecretKey"] in keys
    (key,) = (
        one["valueFrom"]["secretKeyRef"]["key"]
        for one in values["global"]["prefect"]["env"]
        if one["name"] == "PREFECT_SERVER_ENCRYPTION_KEY"
    )
    assert key in keys
