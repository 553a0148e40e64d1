"""What is wrong between Vault and the API server."""

from __future__ import annotations

import datetime

from runbook.diagnosis.causes import Causes
from runbook.hosts import ApiServer
from sandbox.certificates import CertificateAuthority
from tests.tasks.conftest import request
from tests.tasks.diagnosis.cases.case import case
from tests.tasks.diagnosis.scene import Scene


def host(scene: Scene, url: str, ca_pem: str = "") -> None:
    """The ClusterConnection, and with it Vault's config, lead there."""
    scene.values["host"] = url
    scene.connection = ApiServer(url, ca_pem or scene.api.ca_pem)
    scene.change_config(kubernetes_host=url, kubernetes_ca_cert=scene.connection.ca_pem)


def corrected(scene: Scene) -> None:
    """The ClusterConnection is right again, and a run follows."""
    scene.connection = None
    scene.enable()


def hanging_host(scene: Scene) -> None:
    scene.patience = 1
    # Vault itself hangs for 10 s at each login.
    scene.wanted = request(namespaces=("payments",))
    host(scene, scene.silent_server())


def certified(
    scene: Scene, names: tuple[str, ...], lifetime: datetime.timedelta = datetime.timedelta(days=1)
) -> None:
    authority = CertificateAuthority("ember's own")
    scene.values["ends"] = f"{datetime.datetime.now(datetime.UTC) + lifetime:%Y-%m-%d %H:%M}"
    host(scene, scene.tls_server(authority.issue("api", names, lifetime=lifetime)), authority.pem)


def another_host(scene: Scene) -> None:
    other = scene.another_cluster()
    host(scene, other.url, other.ca_pem)


def written_by_hand(scene: Scene, **fields: str) -> None:
    """Somebody changes Vault's config; the ClusterConnection is right."""
    scene.values["host"] = fields.get("kubernetes_host", "")
    scene.change_config(**fields)


ON_THE_WAY = [
    case(
        Causes.CONFIG_DIFFERS,
        lambda scene: written_by_hand(scene, kubernetes_host=scene.closed_port()),
        Scene.enable,
        mount="ember-k8s",
        differences="kubernetes_host is {host}, the connection has {api}",
    ),
    case(
        Causes.CONFIG_DIFFERS,
        lambda scene: written_by_hand(scene, kubernetes_ca_cert=CertificateAuthority("another").pem),
        Scene.enable,
        mount="ember-k8s",
        differences="kubernetes_ca_cert is not the connection's CA",
    ),
    case(
        Causes.HOST_UNREACHABLE,
        lambda scene: host(scene, scene.closed_port()),
        corrected,
        host="{host}",
        why="connection refused",
    ),
    case(Causes.HOST_HANGS, hanging_host, host="{host}", seconds="1"),
    case(
        Causes.HOST_SPEAKS_NO_TLS, lambda scene: host(scene, scene.plain_server()), corrected, host="{host}"
    ),
    case(
        Causes.HOST_NOT_IN_CERTIFICATE,
        lambda scene: certified(scene, ("api.ember.example.com", "10.0.0.1")),
        corrected,
        host="{host}",
        names="api.ember.example.com, 10.0.0.1",
    ),
    case(
        Causes.CERTIFICATE_OUT_OF_DATE,
        lambda scene: certified(scene, ("127.0.0.1",), datetime.timedelta(days=-1)),
        host="{host}",
        problem="dates: a certificate of the chain has expired; the server's own expires on {ends} UTC",
    ),
    case(
        Causes.CA_DID_NOT_SIGN,
        lambda scene: host(scene, scene.api.url, CertificateAuthority("another").pem),
        corrected,
        host="{api}",
    ),
    case(Causes.HOST_OF_ANOTHER_CLUSTER, another_host, corrected, host="{host}", ours="{api}"),
]
