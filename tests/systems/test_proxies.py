"""A worker whose only way out is a proxy: all clients take it, and so does the check of a certificate."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from connections import VaultConnection
from runbook.errors import InvalidInput, PermanentError, Unreachable
from sandbox.certificates import CertificateAuthority
from systems.github import GitHub
from systems.gitops import GitOpsClone
from systems.openshift import OpenShift, review_with
from systems.proxies import proxy_for
from systems.tls import check_certificate
from tests.connect_proxy import Proxy, proxy_to
from tests.systems.openshift.scripted_api import Scripted, kubeconfig, scripted_server

AUTHORITY = CertificateAuthority("behind the proxy")
TOKEN = SecretStr("a-token-of-a-test")
HOST = "host.behind.the.proxy.test"
LOGIN = f"Basic {base64.b64encode(b'worker:hunter2').decode()}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    with scripted_server(tmp_path_factory.mktemp("server"), AUTHORITY, (HOST,)) as running:
        yield running


@pytest.fixture
def proxy(server: Scripted) -> Iterator[Proxy]:
    with proxy_to(int(server.url.rpartition(":")[2])) as running:
        yield running


def on_openshift(**cluster: Any) -> object:
    config = kubeconfig(f"https://{HOST}:6443", AUTHORITY.pem)
    config["clusters"][0]["cluster"] |= cluster
    with OpenShift(config) as client:
        return client.version()


CLIENTS: dict[str, tuple[int, Callable[[], object]]] = {
    "Vault": (
        8200,
        lambda: (
            VaultConnection(address=f"https://{HOST}:8200", ca_cert=AUTHORITY.pem, token=TOKEN)
            .anonymous_client()
            .health()
        ),
    ),
    "GitHub": (
        443,
        lambda: GitHub("o/r", TOKEN, api_url=f"https://{HOST}/api/v3", ca_pem=AUTHORITY.pem).access(),
    ),
    "Git": (
        443,
        lambda: GitOpsClone.open(f"https://{HOST}/o/r.git", "main", TOKEN, ca_pem=AUTHORITY.pem).__enter__(),
    ),
    "OpenShift": (6443, on_openshift),
    "TokenReview": (
        6443,
        lambda: review_with(f"https://{HOST}:6443", AUTHORITY.pem, TOKEN, TOKEN),
    ),
    "certificate": (6443, lambda: check_certificate(f"https://{HOST}:6443", AUTHORITY.pem)),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_takes_the_proxy_of_the_environment_and_logs_in_there(
    name: str, server: Scripted, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://worker:hunter2@127.0.0.1:{proxy.port}")
    proxy.login = LOGIN
    port, ask = CLIENTS[name]
    server.requests.clear()
    if name == "certificate":
        ask()
    else:
        with pytest.raises(PermanentError) as caught:  # the server is reached, and knows none of this
            ask()
        assert "hunter2" not in str(caught.value)
    assert set(proxy.asked) == {f"CONNECT {HOST}:{port}"}
    assert server.requests or name == "certificate"


@pytest.mark.parametrize("name", CLIENTS)
def test_no_client_takes_it_to_a_host_of_no_proxy(
    name: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.the.proxy.test")
    with pytest.raises(Unreachable):  # the name is nobody's
        CLIENTS[name][1]()
    assert proxy.asked == []


def test_the_proxy_of_a_kubeconfig_comes_before_that_of_the_environment(
    server: Scripted, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.the.proxy.test")
    address = f"http://127.0.0.1:{proxy.port}"
    with pytest.raises(PermanentError, match="nothing at /version"):
        on_openshift(**{"proxy-url": address})
    with pytest.raises(PermanentError, match="nothing at "):
        review_with(f"https://{HOST}:6443", AUTHORITY.pem, TOKEN, TOKEN, proxy=address)
    report = check_certificate(f"https://{HOST}:6443", AUTHORITY.pem, proxy=address)
    assert (report.trusted, report.names) == (True, (HOST,))
    wrong = check_certificate("https://other.test:6443", AUTHORITY.pem, proxy=address)
    assert wrong.fault == "host name"
    assert set(proxy.asked) == {f"CONNECT {HOST}:6443", "CONNECT other.test:6443"}


def test_a_proxy_that_refuses_or_is_none_of_ours_is_said_without_its_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://worker:hunter2@127.0.0.1:1")
    for name, (_, ask) in CLIENTS.items():
        with pytest.raises(Unreachable) as caught:
            ask()
        assert "hunter2" not in str(caught.value), name
    monkeypatch.setenv("HTTPS_PROXY", "socks5://worker:hunter2@127.0.0.1:1")
    with pytest.raises(InvalidInput, match="not the address of an http proxy") as refused:
        proxy_for(f"https://{HOST}")
    assert "hunter2" not in str(refused.value)
