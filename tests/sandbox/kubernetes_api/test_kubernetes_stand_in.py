"""What is the stand-in's own: OpenShift's objects, its files, its log, its life, its certificate."""

from __future__ import annotations

import datetime
import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import jwt
import pytest
import yaml

from sandbox.certificates import CertificateAuthority
from sandbox.environment import CHECKOUT, clean_environment
from sandbox.kubernetes_api import KubernetesApi
from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import Kube, Namespace, connect

OPENSHIFT_PATHS = [
    "/apis/config.openshift.io/v1/infrastructures",
    "/apis/config.openshift.io/v1/ingresses",
    "/apis/user.openshift.io/v1/groups",
    "/apis/operators.coreos.com/v1alpha1/subscriptions",
    "/apis/operators.coreos.com/v1/operatorgroups",
]


@pytest.fixture
def api(stand_in: KubernetesApi) -> Kube:
    return connect(stand_in.admin_kubeconfig)


@pytest.fixture
def default(api: Kube) -> Namespace:
    """The namespace of that name, with a ServiceAccount ``app``."""
    made = Namespace(api, "default")
    made.account("app")
    return made


# OpenShift


def test_stand_in_names_its_cluster(stand_in: KubernetesApi, api: Kube) -> None:
    status = api.get("/apis/config.openshift.io/v1/infrastructures/cluster")["status"]
    assert status["apiServerURL"] == stand_in.url
    assert status["infrastructureName"].startswith("ember-")
    ingress = api.get("/apis/config.openshift.io/v1/ingresses/cluster")
    assert ingress["spec"]["domain"] == "apps.ember.sandbox.test"


def test_stand_in_holds_openshift_groups(api: Kube) -> None:
    path = "/apis/user.openshift.io/v1/groups"
    body = {"apiVersion": "user.openshift.io/v1", "kind": "Group", "metadata": {"name": "vault-admins"}}
    api.create(path, {**body, "users": ["a"]})
    assert api.get(f"{path}/vault-admins")["users"] == ["a"]
    assert api.get(path)["kind"] == "GroupList"


def test_stand_in_lets_an_operator_report_on_its_subscription(api: Kube) -> None:
    path = "/apis/operators.coreos.com/v1alpha1/namespaces/openshift-operators/subscriptions"
    body = {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "Subscription",
        "metadata": {"name": "s"},
        "spec": {"channel": "stable"},
    }
    assert "status" not in api.create(path, {**body, "status": {"state": "x"}})
    changed = api.change(f"{path}/s/status", {"status": {"state": "AtLatestKnown"}})
    assert changed["status"] == {"state": "AtLatestKnown"}


def test_stand_in_without_openshift_has_none_of_it(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path, openshift=False) as plain:
        kube = connect(plain.admin_kubeconfig)
        for path in OPENSHIFT_PATHS:
            assert kube.gone(path)
        assert kube.gone("/api/v1/namespaces/openshift-operators")


def test_stand_in_says_that_it_is_one(api: Kube) -> None:
    assert api.get("/version")["gitVersion"].endswith("+sandbox")


def test_stand_in_gives_each_namespace_its_root_certificate(stand_in: KubernetesApi, api: Kube) -> None:
    path = "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"
    eventually(lambda: not api.gone(path))
    assert api.get(path)["data"] == {"ca.crt": stand_in.ca_pem}


# Its log and its counts


def test_stand_in_notes_method_path_and_status_and_nothing_else(stand_in: KubernetesApi, api: Kube) -> None:
    secret = "c2VudGluZWwtdmFsdWU="
    before = len(stand_in.requests)
    api.create("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "data": {"k": secret}})
    api.send("GET", "/api/v1/namespaces/default/secrets/none?fieldSelector=sentinel", token=secret)
    assert stand_in.requests[before:] == [
        ("POST", "/api/v1/namespaces/default/secrets"),
        ("GET", "/api/v1/namespaces/default/secrets/none"),
    ]
    log = stand_in.request_log.read_text()
    assert log.endswith(" GET /api/v1/namespaces/default/secrets/none 401\n")
    for word in (secret, "sentinel", stand_in.admin_token):
        assert word not in log


def test_stand_in_writes_one_line_for_one_request(stand_in: KubernetesApi, api: Kube) -> None:
    api.send("GET", "/api/v1/a%0AGET /fake 200")
    lines = stand_in.request_log.read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(r"GET /api/v1/a\nGET /fake 200 404")


# Its life


def test_stand_in_keeps_its_objects_and_its_port_when_it_is_restarted(
    stand_in: KubernetesApi, api: Kube, default: Namespace
) -> None:
    token = default.token_secret("app", "t")
    stand_in.stop()
    with pytest.raises(httpx.ConnectError):
        api.get("/version")
    stand_in.start()
    assert api.review(token)["authenticated"]


def test_stand_in_stops_at_once_though_a_client_holds_a_connection(
    stand_in: KubernetesApi, api: Kube
) -> None:
    api.get("/api")
    stand_in.stop()
    with socket.create_server(("127.0.0.1", int(stand_in.url.rpartition(":")[2]))):
        pass  # the port is free again


def test_two_stand_ins_trust_each_other_in_nothing(
    tmp_path: Path, stand_in: KubernetesApi, default: Namespace
) -> None:
    with KubernetesApi(tmp_path / "other") as other:
        assert other.ca_pem != stand_in.ca_pem
        tokens = (default.token("app"), default.token_secret("app", "t"), stand_in.admin_token)
        for token in tokens:
            assert connect(other.admin_kubeconfig).send("GET", "/api", token=token).status_code == 401


def test_stand_in_as_a_process_says_when_it_is_ready_and_ends_on_sigterm(tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = ["--state-dir", str(state), "--cluster-name", "flint"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.kubernetes_api", *options],
        cwd=CHECKOUT,
        env=clean_environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually((state / "ready.json").exists)
        url = json.loads((state / "ready.json").read_text())["url"]
        assert {
            oct(stat.S_IMODE((state / name).stat().st_mode)) for name in ("admin.kubeconfig", "server.key")
        } == {"0o600"}
        config = yaml.safe_load((state / "admin.kubeconfig").read_text())
        assert config["current-context"] == "admin@flint"
        kube = connect(state / "admin.kubeconfig")
        assert kube.url == url
        assert (state / "ca.crt").read_text() == kube.ca_pem
        infrastructure = kube.get("/apis/config.openshift.io/v1/infrastructures/cluster")
        assert infrastructure["status"]["infrastructureName"].startswith("flint-")
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, f"{url}\n", "")
    assert not (state / "ready.json").exists()


# Its certificate


def handshake(api: KubernetesApi, name: str, trusted: str) -> None:
    context = ssl.create_default_context(cadata=trusted)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    port = int(api.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=name),
    ):
        pass


def test_stand_in_is_certified_for_its_names_by_its_own_authority_only(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path, names=["api.ember.test", "10.0.0.1"]) as api:
        for name in ("127.0.0.1", "localhost", "api.ember.test", "10.0.0.1"):
            handshake(api, name, api.ca_pem)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            handshake(api, "api.other.test", api.ca_pem)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(api, "127.0.0.1", CertificateAuthority("other").pem)


# Its clock and its keys


def test_stand_in_lives_by_a_clock_that_is_wrong(
    stand_in: KubernetesApi, api: Kube, default: Namespace
) -> None:
    today = default.token("app")
    with stand_in.clock_at(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)):
        old = default.token("app")
        claims = jwt.decode(old, options={"verify_signature": False})
        assert (claims["nbf"], claims["exp"] - claims["nbf"]) == (1577836800, 3600)
        assert api.review(old)["authenticated"]
        assert api.review(today)["error"] == "[invalid bearer token, service account token is not valid yet]"
    assert api.review(old)["error"] == "[invalid bearer token, service account token has expired]"
    assert api.review(today)["authenticated"]


def test_stand_in_may_issue_with_a_key_that_it_does_not_believe(
    stand_in: KubernetesApi, api: Kube, default: Namespace
) -> None:
    before, legacy = default.token("app"), default.token_secret("app", "app-token")
    with stand_in.issuing_with_another_key():
        issued = default.token("app")
        assert api.review(issued)["error"] == "[invalid bearer token, invalid signature, no keys found]"
        assert api.review(before)["authenticated"]
        assert api.review(legacy)["authenticated"]
    assert api.review(default.token("app"))["authenticated"]
