"""An enabled cluster whose login works, and the ways to break exactly one thing of it by hand.

The diagnosis gets the pipeline's own token and the pipeline's own account on the cluster; whoever breaks
things is an administrator.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import yaml

from deployments.openshift.account import ROLE as ROLE_OF_ACCOUNT
from runbook.diagnosis.examination import Examination
from runbook.diagnosis.record import ReviewerRecord
from runbook.hosts import ApiServer
from runbook.request import EnableRequest
from runbook.vault_store import VaultStore
from sandbox.certificates import ServerCertificate
from sandbox.kubernetes_api import KubernetesApi
from sandbox.ports import free_port
from sandbox.vault_server import VaultServer
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks.diagnose import examine
from tasks.diagnosis.asking import Asked
from tests.faults.faults import Point, Script
from tests.faults.proxy import Proxy, Server
from tests.kubernetes_objects import ESO, NAMESPACES, Cluster
from tests.operator_by_hand import Operator, provider
from tests.steps import realize_config, realize_mount, realize_policies, realize_role
from tests.systems.test_tls_certificate import tls_server
from tests.tasks.conftest import client, request

MOUNT = "ember-k8s"
ROLE = f"auth/{MOUNT}/role/emea-ops"
CONFIG = f"auth/{MOUNT}/config"
POLICY = "sys/policies/acl/emea-kv-r"
REVIEWER_SECRET = f"/api/v1/namespaces/{ESO}/secrets/eso-vault-auth-token"
_ACCOUNTS = "/api/v1/namespaces/{}/serviceaccounts"


@dataclass
class Scene:
    """Real Vault, Kubernetes stand-in, and both kinds of access to them.

    Attributes:
        admin, cluster: as administrators.
        pipeline, openshift: as the pipeline.
        kubeconfig: of the pipeline's account, as text.
        connection: what the ClusterConnection says of the API server, where that is wrong.
        elsewhere: what a case starts, ended with it.
        runs: how often the Vault steps were run.
        values: what a case learns for the line that it expects, by name.
    """

    api: KubernetesApi
    vault: VaultServer
    admin: Vault
    cluster: Cluster
    pipeline: Vault
    openshift: OpenShift
    kubeconfig: str
    directory: Path
    elsewhere: ExitStack = field(default_factory=ExitStack)
    wanted: EnableRequest = field(default_factory=request)
    record: ReviewerRecord | None = None
    patience: float = 10
    connection: ApiServer | None = None
    values: dict[str, Any] = field(default_factory=dict)
    runs: int = 0
    _for_now: ExitStack = field(default_factory=ExitStack)

    @property
    def server(self) -> ApiServer:
        """The API server by the ClusterConnection."""
        return self.connection or ApiServer(self.api.url, self.api.ca_pem)

    def enable(self) -> None:
        """What the Vault steps of a run do. No login yet, so Vault has no connection to the cluster."""
        self.runs += 1
        realize_policies(self.pipeline, self.wanted)
        realize_mount(self.pipeline, self.wanted)
        realize_config(self.pipeline, self.openshift, self.wanted, self.server, recorded=lambda: True)
        realize_role(self.pipeline, self.wanted)

    def diagnose(self) -> Examination:
        systems = Asked(self.wanted, self.pipeline, self.openshift, self.server, self.store, self.patience)
        return examine(systems, self.record)

    # What ends: with the case at the latest

    def for_now(self, state: AbstractContextManager[Any]) -> None:
        """A state of the world until `end_what_is_for_now`."""
        self._for_now.enter_context(state)

    def end_what_is_for_now(self) -> None:
        self._for_now.close()

    def meanwhile_at_vault(self, request: str, do: Callable[[], object]) -> None:
        """Do something when the pipeline first makes a request (method and path), before Vault gets it."""
        proxy = self._stopping_at(request, do, self.vault.address, self.vault.ca_pem)
        self.pipeline = self.elsewhere.enter_context(
            client(self.vault, self.vault.pipeline_token, proxy.url, proxy.ca_pem)
        )

    def meanwhile_on_the_cluster(self, request: str, do: Callable[[], object]) -> None:
        """The same, before the cluster gets it."""
        proxy = self._stopping_at(request, do, self.api.url, self.api.ca_pem)
        kubeconfig = yaml.safe_load(self.kubeconfig)
        (cluster,) = kubeconfig["clusters"]
        authority = base64.b64encode(str(proxy.ca_pem).encode()).decode()
        cluster["cluster"].update({"server": proxy.url, "certificate-authority-data": authority})
        self.openshift = self.elsewhere.enter_context(OpenShift(kubeconfig))

    def _stopping_at(self, request: str, do: Callable[[], object], url: str, ca_pem: str) -> Proxy:
        def decide(_place: int, point: Point) -> None:
            if (point.name, point.number) == (f"it: {request}", 1):
                do()

        script = Script()
        script.begin(decide)
        return self.elsewhere.enter_context(Proxy(Server(url, ca_pem, lambda _path: "it"), script))

    # By an administrator of Vault

    def change_role(self, **fields: Any) -> None:
        self.admin.write(ROLE, fields)

    def change_config(self, **fields: Any) -> None:
        """A write replaces the whole, so the rest of it, and a reviewer JWT that works, are sent as well."""
        config = dict(self.admin.kubernetes_config(MOUNT) or {})
        config.pop("token_reviewer_jwt_set", None)
        if "token_reviewer_jwt" not in fields:
            # Only then: the cluster may be about to delete the Secret of a ServiceAccount that was made anew.
            fields["token_reviewer_jwt"] = self.reviewer_token()
        self.admin.write(CONFIG, {**config, **fields})

    def delete(self, path: str) -> None:
        assert self.admin.http.send("delete", path).status in {200, 204}

    # By an administrator of the cluster

    def reviewer_token(self) -> str:
        encoded = self.cluster.send("GET", REVIEWER_SECRET)["data"]["token"]
        return base64.b64decode(encoded).decode()

    def put_in_secret(self, token: str) -> None:
        """Somebody's own token in the reviewer's Secret; the cluster keeps what it finds there."""
        self.remake_secret({"token": base64.b64encode(token.encode()).decode()})
        assert self.reviewer_token() == token

    def remake_secret(self, data: dict[str, str]) -> None:
        """The reviewer's Secret deleted and made again, with this in it to begin with."""
        body = {
            "metadata": {
                "name": "eso-vault-auth-token",
                "annotations": {"kubernetes.io/service-account.name": "eso-vault-auth"},
            },
            "type": "kubernetes.io/service-account-token",
            "data": data,
        }
        self.cluster.send("DELETE", REVIEWER_SECRET)
        self.cluster.send("POST", f"/api/v1/namespaces/{ESO}/secrets", body)

    def reviewer_jwt_of_nobody(self) -> None:
        """What Vault holds when its JWT is dead, without a trace of it anywhere else."""
        self.change_config(token_reviewer_jwt="eyJhbGciOiJSUzI1NiJ9.e30.Z2FyYmFnZQ")

    def delete_account(self, namespace: str, name: str) -> None:
        self.cluster.send("DELETE", f"{_ACCOUNTS.format(namespace)}/{name}")

    def uid(self, namespace: str, name: str) -> str:
        found = self.cluster.send("GET", f"{_ACCOUNTS.format(namespace)}/{name}")
        return str(found["metadata"]["uid"])

    def remake_account(self, namespace: str, name: str) -> None:
        """Delete it and make it again, as a pruning sync does; notes both uids."""
        self.values["old"] = self.uid(namespace, name)
        self.delete_account(namespace, name)
        self.cluster.send("POST", _ACCOUNTS.format(namespace), {"metadata": {"name": name}})
        self.values["new"] = self.uid(namespace, name)

    def sync(self) -> None:
        """What ArgoCD brings, as far as it is missing."""
        self.cluster.bring_onboarding()

    def sync_and_enable(self) -> None:
        self.sync()
        self.enable()

    def take_right(self, resource: str, namespace: str = "") -> None:
        """Take a right from the pipeline's account, for now: in a namespace, or cluster-wide."""
        where = f"namespaces/{namespace}/roles" if namespace else "clusterroles"
        path = f"/apis/rbac.authorization.k8s.io/v1/{where}/{ROLE_OF_ACCOUNT}"
        rules = self.cluster.send("GET", path)["rules"]

        def put(rules: list[Any]) -> None:
            self.cluster.send("PUT", path, {"metadata": {"name": ROLE_OF_ACCOUNT}, "rules": rules})

        assert any(rule["resources"] == [resource] for rule in rules)
        put([rule for rule in rules if rule["resources"] != [resource]])
        self._for_now.callback(put, rules)

    @property
    def store(self) -> VaultStore:
        """The SecretStore that a run brings."""
        return VaultStore.meant(self.wanted, self.vault.address, self.vault.ca_pem, None)

    def operator(self, *, replicas: int | None = 1) -> Operator:
        """External Secrets Operator, for this case only."""
        made = Operator(self.cluster, self.provider())
        self.elsewhere.callback(made.remove)
        made.install(replicas=replicas)
        return made

    def provider(self, **changes: Any) -> dict[str, Any]:
        """``spec.provider.vault`` of our SecretStore; changes as of `operator_by_hand.provider`."""
        return provider(self.vault.address, self.vault.ca_pem, self.wanted.service_account, **changes)

    # Somewhere else

    def another_cluster(self) -> KubernetesApi:
        """A second cluster, onboarded too."""
        made = self.elsewhere.enter_context(KubernetesApi(self.directory / "other", cluster_name="flint"))
        other = Cluster(made)
        self.elsewhere.callback(other.close)
        other.bring_onboarding()
        return made

    def closed_port(self) -> str:
        return f"https://127.0.0.1:{free_port()}"

    def silent_server(self) -> str:
        """Accepts connections and says nothing."""
        listener = self.elsewhere.enter_context(socket.create_server(("127.0.0.1", 0)))
        return f"https://127.0.0.1:{listener.getsockname()[1]}"

    def plain_server(self) -> str:
        """Speaks, but no TLS."""
        server = self.elsewhere.enter_context(HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.elsewhere.callback(thread.join)
        self.elsewhere.callback(server.shutdown)
        return f"https://127.0.0.1:{server.server_port}"

    def tls_server(self, issued: ServerCertificate) -> str:
        """Shakes hands with that certificate and says nothing more."""
        return self.elsewhere.enter_context(tls_server(self.directory, issued))


def asked(request: EnableRequest, **systems: Any) -> Asked:
    """Whom a single question asks; the others are nobody."""
    all_of_them: Any = dict.fromkeys(("vault", "openshift", "api", "store")) | systems
    return Asked(request, **all_of_them)


def disable_entity(scene: Scene, namespace: str) -> str:
    """Disable the entity in Vault of a starter that has logged in before; returns its name."""
    accessor = scene.admin.auth_mounts()[MOUNT].accessor
    entity = scene.admin.entity_of_alias(scene.uid(namespace, "vault-secret-fetcher"), accessor)
    assert entity
    scene.admin.write(f"identity/entity/name/{entity['name']}", {"disabled": True})
    return str(entity["name"])


def clean(cluster: Cluster) -> None:
    """Bring the cluster back to what it is before an onboarding: tests break it in every way."""
    for namespace, name in ((ESO, "eso-vault-auth"), *((one, "vault-secret-fetcher") for one in NAMESPACES)):
        cluster.send("DELETE", f"{_ACCOUNTS.format(namespace)}/{name}")
    cluster.send("DELETE", REVIEWER_SECRET)
    cluster.unbind_reviewer()


@contextmanager
def enabled(scene: Scene) -> Iterator[Scene]:
    """The scene after a run, with everything ended that a case starts."""
    with scene.elsewhere, scene._for_now:
        scene.enable()
        yield scene
