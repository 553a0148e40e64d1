"""What is wrong between Vault and the API server."""

from __future__ import annotations

import datetime

from deployments.sandbox.certificates import CertificateAuthority
from runbook.diagnosis import (
    CaDidNotSign,
    CaNotPem,
    CertificateOutOfDate,
    HostHangs,
    HostNotInCertificate,
    HostOfAnotherCluster,
    HostSpeaksNoTls,
    HostUnreachable,
    HostWithoutScheme,
)
from tests.tasks.conftest import request
from tests.tasks.diagnosis.cases.case import Case
from tests.tasks.diagnosis.scene import Scene


def host(scene: Scene, url: str) -> None:
    scene.values["host"] = url
    scene.change_config(kubernetes_host=url)


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
    scene.values["host"] = scene.tls_server(authority.issue("api", names, lifetime=lifetime))
    scene.change_config(kubernetes_host=scene.values["host"], kubernetes_ca_cert=authority.pem)


def another_host(scene: Scene) -> None:
    other = scene.another_cluster()
    scene.values["host"] = other.url
    scene.values["ours"] = scene.api.url
    scene.change_config(kubernetes_host=other.url, kubernetes_ca_cert=other.ca_pem)


ON_THE_WAY = [
    Case(
        "the host has no scheme",
        HostWithoutScheme,
        lambda scene: host(scene, scene.api.url.removeprefix("https://")),
        "Vault, auth/ember-k8s/config: has kubernetes_host={host}, which is not https://host[:port]",
        Scene.enable,
    ),
    Case(
        "the host's port is closed",
        HostUnreachable,
        lambda scene: host(scene, scene.closed_port()),
        "OpenShift, {host}: kubernetes_host of Vault's config does not answer from here (connection refused)",
        Scene.enable,
    ),
    Case(
        "the host hangs",
        HostHangs,
        hanging_host,
        "OpenShift, {host}: kubernetes_host of Vault's config hangs: from here no TLS answer in 1 s",
    ),
    Case(
        "the host speaks no TLS",
        HostSpeaksNoTls,
        lambda scene: host(scene, scene.plain_server()),
        "OpenShift, {host}: kubernetes_host of Vault's config leads, from here, to something that does not "
        "speak TLS",
        Scene.enable,
    ),
    Case(
        "the host is not in its certificate",
        HostNotInCertificate,
        lambda scene: certified(scene, ("api.ember.example.com", "10.0.0.1")),
        "OpenShift, {host}: kubernetes_host of Vault's config is not in the API server's certificate, which "
        "is for api.ember.example.com, 10.0.0.1",
        Scene.enable,
    ),
    Case(
        "the API server's certificate has expired",
        CertificateOutOfDate,
        lambda scene: certified(scene, ("127.0.0.1",), datetime.timedelta(days=-1)),
        "OpenShift, {host}: the API server's certificate is not valid now (dates: a certificate of the chain "
        "has expired; the server's own ends on {ends} UTC)",
    ),
    Case(
        "the CA is another one",
        CaDidNotSign,
        lambda scene: scene.change_config(kubernetes_ca_cert=CertificateAuthority("another").pem),
        "OpenShift, {api}: the certificate seen from here was not signed by kubernetes_ca_cert of Vault's "
        "config",
        Scene.enable,
    ),
    Case(
        "the CA is not PEM",
        CaNotPem,
        lambda scene: scene.change_config(kubernetes_ca_cert="LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"),
        "Vault, auth/ember-k8s/config: has a kubernetes_ca_cert that is not a PEM certificate",
        Scene.enable,
    ),
    Case(
        "the host is another cluster's",
        HostOfAnotherCluster,
        another_host,
        "OpenShift, {host}: kubernetes_host of Vault's config leads, from here, to a cluster that refuses "
        "the reviewer's token which {ours} accepts",
        Scene.enable,
    ),
]
